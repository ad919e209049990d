// SPDX-License-Identifier: Apache-2.0
package dev.filigree.bench.alternatives;

import dev.filigree.ModelConfig;
import dev.filigree.ModelInfo;
import dev.filigree.TrainConfig;
import dev.filigree.bench.SmallStep;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The small step written with a library: forward, backward, gradient norm, Adam, projection, decay.
 *
 * @param <T> tensor of the library
 */
final class AlternativeStep<T> {
  private static final double NORM_EPS = Math.ulp(1.0F);
  private static final double GRADIENT_FLOOR = 1e-5;

  /** Largest difference of the first loss, which is the forward pass alone, nats. */
  private static final double FORWARD_TOLERANCE = 1e-5;

  /**
   * Largest difference of a later loss, as a share of what was learnt by then. Libraries round
   * differently, and an activation that is in the set here and out of it there changes a gradient.
   */
  private static final double LEARNT_TOLERANCE = 0.01;

  private final TensorApi<T> api;
  private final SmallStep given;
  private final Map<String, T> weights = new HashMap<>();
  private final List<Parameter<T>> parameters = new ArrayList<>();
  private final T tokens;
  private final T current;
  private final T next;
  private final T causal;
  private final T noSink;
  private int steps;

  /** A trained tensor. */
  private record Parameter<T>(T w, T m, T v, int size, int kept, boolean decayed) {}

  AlternativeStep(TensorApi<T> api, SmallStep given) {
    this.api = api;
    this.given = given;
    for (ModelInfo.Tensor tensor : given.model().tensors()) {
      add(tensor);
    }
    int batch = given.tokens().length;
    int length = given.tokens()[0].length;
    this.tokens = api.indices(window(0, length), batch, length);
    this.current = api.indices(window(0, length - 1), (long) batch * (length - 1));
    this.next = api.indices(window(1, length - 1), (long) batch * (length - 1));
    float[] mask = new float[length * length];
    for (int t = 0; t < length; t++) {
      Arrays.fill(mask, t * length + t + 1, (t + 1) * length, Float.NEGATIVE_INFINITY);
    }
    this.causal = api.floats(mask, length, length);
    this.noSink = api.floats(new float[batch * length], batch, 1, length, 1);
  }

  private void add(ModelInfo.Tensor tensor) {
    long[] shape = tensor.shape().stream().mapToLong(Long::longValue).toArray();
    T w = api.floats(given.weights().get(tensor.name()), shape);
    weights.put(tensor.name(), w);
    if (tensor.trainable()) {
      int size = Math.toIntExact(tensor.count());
      T m = api.floats(new float[size], shape);
      T v = api.floats(new float[size], shape);
      boolean decayed = shape.length > 1 && !tensor.family().equals("bigram");
      int kept = (int) (kept(tensor.family()) * size);
      parameters.add(new Parameter<>(w, m, v, size, kept, decayed));
      api.requireGradient(w);
    }
  }

  private double kept(String family) {
    TrainConfig.Fractions fractions = given.train().sparsity().fractions();
    return switch (family) {
      case "matrix" -> fractions.matrix();
      case "embedding" -> fractions.embedding();
      case "unembedding" -> fractions.unembedding();
      case "bias" -> fractions.bias();
      default -> 1;
    };
  }

  private long[] window(int from, int length) {
    return Arrays.stream(given.tokens())
        .flatMapToInt(sequence -> Arrays.stream(sequence, from, from + length))
        .asLongStream()
        .toArray();
  }

  /**
   * Repeat the recorded steps.
   *
   * @throws IllegalStateException when a loss differs: then it is not the same step
   */
  void check() {
    for (int i = 0; i < given.losses().length; i++) {
      double loss = step();
      double learnt = Math.abs(given.losses()[0] - given.losses()[i]);
      double tolerance = FORWARD_TOLERANCE + LEARNT_TOLERANCE * learnt;
      if (!(Math.abs(loss - given.losses()[i]) <= tolerance)) {
        throw new IllegalStateException(
            "loss of step %d is %.6f, and %.6f in Filigree".formatted(i, loss, given.losses()[i]));
      }
    }
  }

  /** Do one step, and return its loss. */
  double step() {
    try (TensorApi.Scope _ = api.scope()) {
      double loss = api.backward(this::loss);
      api.withoutGradients(this::update);
      return loss;
    }
  }

  private T loss() {
    ModelConfig c = given.model().config();
    int batch = given.tokens().length;
    int length = given.tokens()[0].length;
    int d = c.dModel();
    T x = api.embedding(weight("transformer.wte.weight"), tokens); // [B, T, d]
    T a = sparse(norm(x, "transformer.h.0.ln_1"), d);
    T qkv = linear(a, "transformer.h.0.attn.c_attn"); // [B, T, 3 d]
    T q = heads(sparse(api.narrow(qkv, 2, 0, d), d), c); // [B, H, T, dh]
    T k = heads(sparse(api.narrow(qkv, 2, d, d), d), c);
    T v = heads(sparse(api.narrow(qkv, 2, 2L * d, d), d), c);
    T scores = api.times(api.matmul(q, api.swapAxes(k, 2, 3)), 1 / Math.sqrt(c.dHead()));
    T sink = api.reshape(weight("transformer.h.0.attn.attn_imp.sink_logit"), 1, c.nHead(), 1, 1);
    T all = api.concatLast(api.add(scores, causal), api.add(sink, noSink)); // [B, H, T, T + 1]
    T chances = api.narrow(api.softmaxLast(all), 3, 0, length);
    T y = api.reshape(api.swapAxes(api.matmul(chances, v), 1, 2), batch, length, d);
    x = api.add(x, sparse(linear(y, "transformer.h.0.attn.c_proj"), d));
    T n = sparse(norm(x, "transformer.h.0.ln_2"), d);
    T h = sparse(api.gelu(linear(n, "transformer.h.0.mlp.c_fc")), c.dMlp()); // [B, T, m]
    x = api.add(x, sparse(linear(h, "transformer.h.0.mlp.c_proj"), d));
    T last = api.reshape(api.narrow(x, 1, 0, length - 1), (long) batch * (length - 1), d); // [N, d]
    T logits =
        api.linear(
            norm(last, "transformer.ln_f"),
            weight("lm_head.weight"),
            weight("final_logits_bias")); // [N, V]
    return api.crossEntropy(api.add(logits, api.embedding(weight("bigram_table"), current)), next);
  }

  private T weight(String name) {
    return weights.get(name);
  }

  private T norm(T x, String name) {
    return api.rmsNorm(x, weight(name + ".weight"), NORM_EPS);
  }

  private T linear(T x, String name) {
    return api.linear(x, weight(name + ".weight"), weight(name + ".bias"));
  }

  private T sparse(T x, int width) {
    return api.absTopK(x, (int) (given.model().config().afrac() * width));
  }

  private T heads(T x, ModelConfig c) {
    int batch = given.tokens().length;
    return api.swapAxes(api.reshape(x, batch, -1, c.nHead(), c.dHead()), 1, 2);
  }

  private void update() {
    TrainConfig train = given.train();
    TrainConfig.Adam adam = train.adam();
    double squares = 0;
    long size = 0;
    for (Parameter<T> p : parameters) {
      squares += api.sumOfSquares(api.gradient(p.w));
      size += p.size;
    }
    double scale = 1 / (Math.sqrt(squares / size) + GRADIENT_FLOOR);
    double lr = train.lr() * (1 - (double) steps / train.steps());
    // Annealing ends before the second step.
    boolean annealed = steps > 0;
    steps++;
    for (Parameter<T> p : parameters) {
      api.adam(
          p.w,
          api.gradient(p.w),
          p.m,
          p.v,
          scale,
          lr,
          adam.beta1(),
          adam.beta2(),
          adam.eps(),
          1 - Math.pow(adam.beta1(), steps),
          1 - Math.pow(adam.beta2(), steps));
      if (annealed && p.kept < p.size) {
        api.keepLargest(p.w, p.kept);
      }
      if (p.decayed) {
        api.scaleInPlace(p.w, 1 - train.weightDecay() * lr);
      }
    }
  }
}
