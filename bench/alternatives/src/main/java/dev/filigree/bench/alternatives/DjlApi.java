// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench.alternatives;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.nn.Activation;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import java.nio.FloatBuffer;
import java.util.function.Supplier;

/** DJL's PyTorch engine: JNI below an interface that several engines share. */
final class DjlApi implements TensorApi<NDArray> {
  private final Engine engine = Engine.getEngine("PyTorch");
  private final NDManager manager = engine.newBaseManager();

  @Override
  public Scope scope() {
    NDScope scope = new NDScope();
    return scope::close;
  }

  @Override
  public int threads() {
    return JniUtils.getNumThreads();
  }

  @Override
  public NDArray floats(float[] values, long... shape) {
    return manager.create(values, new Shape(shape));
  }

  @Override
  public NDArray indices(long[] values, long... shape) {
    return manager.create(values, new Shape(shape));
  }

  @Override
  public void write(NDArray tensor, float[] values) {
    tensor.set(FloatBuffer.wrap(values));
  }

  @Override
  public float[] read(NDArray tensor) {
    return tensor.toFloatArray();
  }

  @Override
  public NDArray add(NDArray a, NDArray b) {
    return a.add(b);
  }

  @Override
  public NDArray times(NDArray a, NDArray b) {
    return a.mul(b);
  }

  @Override
  public NDArray times(NDArray a, double b) {
    return a.mul(b);
  }

  @Override
  public NDArray matmul(NDArray a, NDArray b) {
    return a.matMul(b);
  }

  @Override
  public NDArray linear(NDArray x, NDArray weight, NDArray bias) {
    return x.getNDArrayInternal().linear(x, weight, bias).singletonOrThrow();
  }

  @Override
  public NDArray embedding(NDArray table, NDArray indices) {
    return table
        .getNDArrayInternal()
        .embedding(indices, table, SparseFormat.DENSE)
        .singletonOrThrow();
  }

  @Override
  public NDArray gelu(NDArray x) {
    return Activation.gelu(x);
  }

  @Override
  public NDArray rmsNorm(NDArray x, NDArray gain, double eps) {
    NDArray square = x.mul(x).mean(new int[] {-1}, true);
    return x.div(square.add(eps).sqrt()).mul(gain);
  }

  @Override
  public NDArray absTopK(NDArray x, int k) {
    NDArray size = x.stopGradient().abs();
    NDArray least = size.topK(k, -1, true, false).get(0).min(new int[] {-1}, true);
    return x.mul(size.gte(least).toType(DataType.FLOAT32, false));
  }

  @Override
  public NDArray softmaxLast(NDArray x) {
    return x.softmax(-1);
  }

  @Override
  public NDArray concatLast(NDArray a, NDArray b) {
    return a.concat(b, -1);
  }

  @Override
  public NDArray narrow(NDArray x, int axis, long from, long count) {
    NDIndex index = new NDIndex();
    for (int i = 0; i < axis; i++) {
      index.addAllDim();
    }
    return x.get(index.addSliceDim(from, from + count));
  }

  @Override
  public NDArray reshape(NDArray x, long... shape) {
    return x.reshape(shape);
  }

  @Override
  public NDArray swapAxes(NDArray x, int a, int b) {
    return x.swapAxes(a, b);
  }

  @Override
  public NDArray crossEntropy(NDArray logits, NDArray targets) {
    return logits.logSoftmax(-1).gather(targets.reshape(-1, 1), 1).mean().neg();
  }

  @Override
  public void requireGradient(NDArray parameter) {
    parameter.setRequiresGradient(true);
  }

  @Override
  public double backward(Supplier<NDArray> loss) {
    try (GradientCollector collector = engine.newGradientCollector()) {
      NDArray value = loss.get();
      collector.backward(value);
      return value.getFloat();
    }
  }

  @Override
  public NDArray gradient(NDArray parameter) {
    return parameter.getGradient();
  }

  @Override
  public double sumOfSquares(NDArray x) {
    return x.mul(x).sum().getFloat();
  }

  /** DJL records gradients in a collector only. */
  @Override
  public void withoutGradients(Runnable work) {
    work.run();
  }

  @Override
  public void adam(
      NDArray w,
      NDArray g,
      NDArray m,
      NDArray v,
      double scale,
      double lr,
      double beta1,
      double beta2,
      double eps,
      double correction1,
      double correction2) {
    g.muli(scale);
    m.muli(beta1).addi(g.mul(1 - beta1));
    v.muli(beta2).addi(g.mul(g).muli(1 - beta2));
    NDArray denominator = v.mul(1 / correction2).sqrt().addi(eps);
    w.subi(m.mul(lr / correction1).divi(denominator));
    g.muli(0);
  }

  @Override
  public void keepLargest(NDArray w, int k) {
    NDArray size = w.stopGradient().abs();
    NDArray least = size.flatten().topK(k, -1, true, false).get(0).min();
    w.muli(size.gte(least).toType(DataType.FLOAT32, false));
  }

  @Override
  public void scaleInPlace(NDArray w, double factor) {
    w.muli(factor);
  }
}
