// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench.alternatives;

import java.util.function.Supplier;

/**
 * What the benchmarks need of a library, each method written as its API would have it. Shapes are
 * those of LibTorch; "last" is the last axis.
 *
 * @param <T> tensor of the library
 */
interface TensorApi<T> {
  /** Frees what is made until it is closed. */
  interface Scope extends AutoCloseable {
    @Override
    void close();
  }

  Scope scope();

  /** The cheapest call into LibTorch there is: its number of threads. */
  int threads();

  T floats(float[] values, long... shape);

  T indices(long[] values, long... shape);

  /** Copy an array into an existing tensor. */
  void write(T tensor, float[] values);

  float[] read(T tensor);

  T add(T a, T b);

  T times(T a, T b);

  T times(T a, double b);

  T matmul(T a, T b);

  /** x w^T + b. */
  T linear(T x, T weight, T bias);

  /** Rows of the table. */
  T embedding(T table, T indices);

  T gelu(T x);

  /** x over the root of its mean square over the last axis, times the gain. */
  T rmsNorm(T x, T gain, double eps);

  /** Zero all but the k entries of each row that are largest in magnitude. */
  T absTopK(T x, int k);

  T softmaxLast(T x);

  T concatLast(T a, T b);

  /** A view of some entries along one axis. */
  T narrow(T x, int axis, long from, long count);

  T reshape(T x, long... shape);

  T swapAxes(T x, int a, int b);

  /** Mean loss. @param logits [n, V]. @param targets [n]. */
  T crossEntropy(T logits, T targets);

  void requireGradient(T parameter);

  /** Compute a loss and add its gradients to those of the parameters. @return the loss. */
  double backward(Supplier<T> loss);

  /** Gradient of a parameter, shared. */
  T gradient(T parameter);

  double sumOfSquares(T x);

  /** Work on parameters, of which no gradient is recorded. */
  void withoutGradients(Runnable work);

  /**
   * m, v and w after one step of Adam, in place; the gradient becomes zero.
   *
   * @param scale of the gradient
   * @param correction1 1 - beta1^t
   * @param correction2 1 - beta2^t
   */
  void adam(
      T w,
      T g,
      T m,
      T v,
      double scale,
      double lr,
      double beta1,
      double beta2,
      double eps,
      double correction1,
      double correction2);

  /** Zero all but the k entries largest in magnitude, in place. */
  void keepLargest(T w, int k);

  void scaleInPlace(T w, double factor);
}
