// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench.alternatives;

import java.util.function.Supplier;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** JavaCPP's presets of PyTorch: JNI, one method for each of LibTorch's. */
final class JavaCppApi implements TensorApi<Tensor> {
  @Override
  public Scope scope() {
    PointerScope scope = new PointerScope();
    return scope::close;
  }

  @Override
  public int threads() {
    return torch.get_num_threads();
  }

  @Override
  public Tensor floats(float[] values, long... shape) {
    return Tensor.create(values, shape);
  }

  @Override
  public Tensor indices(long[] values, long... shape) {
    return Tensor.create(values, shape);
  }

  @Override
  public void write(Tensor tensor, float[] values) {
    try (FloatPointer data = tensor.data_ptr_float()) {
      data.put(values);
    }
  }

  @Override
  public float[] read(Tensor tensor) {
    float[] values = new float[Math.toIntExact(tensor.numel())];
    try (FloatPointer data = tensor.data_ptr_float()) {
      data.get(values);
    }
    return values;
  }

  @Override
  public Tensor add(Tensor a, Tensor b) {
    return a.add(b);
  }

  @Override
  public Tensor times(Tensor a, Tensor b) {
    return a.mul(b);
  }

  @Override
  public Tensor times(Tensor a, double b) {
    return a.mul(new Scalar(b));
  }

  @Override
  public Tensor matmul(Tensor a, Tensor b) {
    return a.matmul(b);
  }

  @Override
  public Tensor linear(Tensor x, Tensor weight, Tensor bias) {
    return torch.linear(x, weight, new TensorOptional(bias));
  }

  @Override
  public Tensor embedding(Tensor table, Tensor indices) {
    return torch.embedding(table, indices);
  }

  @Override
  public Tensor gelu(Tensor x) {
    return torch.gelu(x);
  }

  @Override
  public Tensor rmsNorm(Tensor x, Tensor gain, double eps) {
    Tensor square = x.mul(x).mean(new long[] {-1}, true, new ScalarTypeOptional());
    return x.mul(square.add(new Scalar(eps)).rsqrt()).mul(gain);
  }

  @Override
  public Tensor absTopK(Tensor x, int k) {
    Tensor size = x.detach().abs();
    Tensor least = torch.topk(size, k, -1, true, false).get0().amin(new long[] {-1}, true);
    return x.mul(size.ge(least));
  }

  @Override
  public Tensor softmaxLast(Tensor x) {
    return torch.softmax(x, -1);
  }

  @Override
  public Tensor concatLast(Tensor a, Tensor b) {
    return torch.cat(new TensorVector(a, b), -1);
  }

  @Override
  public Tensor narrow(Tensor x, int axis, long from, long count) {
    return x.narrow(axis, from, count);
  }

  @Override
  public Tensor reshape(Tensor x, long... shape) {
    return x.reshape(shape);
  }

  @Override
  public Tensor swapAxes(Tensor x, int a, int b) {
    return x.transpose(a, b);
  }

  @Override
  public Tensor crossEntropy(Tensor logits, Tensor targets) {
    return torch.cross_entropy_loss(logits, targets);
  }

  @Override
  public void requireGradient(Tensor parameter) {
    parameter.requires_grad_(true);
  }

  @Override
  public double backward(Supplier<Tensor> loss) {
    Tensor value = loss.get();
    value.backward();
    return value.item_double();
  }

  @Override
  public Tensor gradient(Tensor parameter) {
    return parameter.grad();
  }

  @Override
  public double sumOfSquares(Tensor x) {
    return x.mul(x).sum().item_double();
  }

  @Override
  public void withoutGradients(Runnable work) {
    try (NoGradGuard _ = new NoGradGuard()) {
      work.run();
    }
  }

  @Override
  public void adam(
      Tensor w,
      Tensor g,
      Tensor m,
      Tensor v,
      double scale,
      double lr,
      double beta1,
      double beta2,
      double eps,
      double correction1,
      double correction2) {
    g.mul_(new Scalar(scale));
    m.mul_(new Scalar(beta1)).add_(g, new Scalar(1 - beta1));
    v.mul_(new Scalar(beta2)).addcmul_(g, g, new Scalar(1 - beta2));
    Tensor denominator = v.mul(new Scalar(1 / correction2)).sqrt().add_(new Scalar(eps));
    w.addcdiv_(m, denominator, new Scalar(-lr / correction1));
    g.zero_();
  }

  @Override
  public void keepLargest(Tensor w, int k) {
    Tensor size = w.abs();
    Tensor least = torch.topk(size.flatten(), k, -1, true, false).get0().amin();
    w.mul_(size.ge(least));
  }

  @Override
  public void scaleInPlace(Tensor w, double factor) {
    w.mul_(new Scalar(factor));
  }
}
