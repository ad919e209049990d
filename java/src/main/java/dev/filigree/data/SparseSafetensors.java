// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.filigree.json.Json;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * A safetensors file of F32 tensors without its zeros, and back, byte for byte.
 *
 * <p>The sparse form is a safetensors file too. A tensor {@code x} of which less than half is left
 * is two in it: {@code x.indices}, I32, ascending places of the row-major elements, and {@code
 * x.values}, F32, what is there; others are as they were. The metadata key {@value #HEADER} has the
 * header of the dense file.
 */
public final class SparseSafetensors {
  private static final String METADATA = "__metadata__";
  private static final String HEADER = "dense_header";
  private static final String INDICES = ".indices";
  private static final String VALUES = ".values";
  private static final int ALIGNMENT = 8;

  private SparseSafetensors() {}

  /** A tensor of a file. */
  private record Tensor(String name, String type, long[] shape, int begin, int end) {}

  /** A file in memory: its header, its tensors, and where their bytes begin. */
  private record Parsed(String header, JsonNode tree, List<Tensor> tensors, ByteBuffer data) {}

  /**
   * Leave out the zeros.
   *
   * @throws DataException when it is no safetensors file of F32 tensors
   */
  public static byte[] compress(byte[] dense) {
    Parsed file = parse(dense);
    ObjectNode header = Json.object();
    header.putObject(METADATA).put(HEADER, file.header());
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    for (Tensor tensor : file.tensors()) {
      if (!tensor.type().equals("F32")) {
        throw new DataException("tensor %s is %s, not F32".formatted(tensor.name(), tensor.type()));
      }
      ByteBuffer bytes = slice(file.data(), tensor);
      int elements = bytes.remaining() / Float.BYTES;
      int live = 0;
      for (int i = 0; i < elements; i++) {
        live += bytes.getInt(Float.BYTES * i) != 0 ? 1 : 0; // of bits: -0 is no zero here
      }
      if (2 * live >= elements) {
        add(header, data, tensor.name(), "F32", tensor.shape(), bytes);
        continue;
      }
      ByteBuffer indices = little(Integer.BYTES * live);
      ByteBuffer values = little(Float.BYTES * live);
      for (int i = 0; i < elements; i++) {
        int bits = bytes.getInt(Float.BYTES * i);
        if (bits != 0) {
          indices.putInt(i);
          values.putInt(bits);
        }
      }
      long[] shape = {live};
      add(header, data, tensor.name() + INDICES, "I32", shape, indices.flip());
      add(header, data, tensor.name() + VALUES, "F32", shape, values.flip());
    }
    return file(pad(header.toString()), data.toByteArray());
  }

  /**
   * Put the zeros back.
   *
   * @return the file that was compressed, byte for byte
   * @throws DataException when it is none that {@link #compress} made
   */
  public static byte[] expand(byte[] sparse) {
    Parsed file = parse(sparse);
    JsonNode header = file.tree().path(METADATA).path(HEADER);
    if (!header.isTextual()) {
      throw new DataException("the sparse weights have no \"%s\"".formatted(HEADER));
    }
    JsonNode tree = json(header.asText());
    List<Tensor> tensors = tensors(tree);
    int size = tensors.stream().mapToInt(Tensor::end).max().orElse(0);
    ByteBuffer data = little(size);
    for (Tensor tensor : tensors) {
      ByteBuffer target = slice(data, tensor);
      Tensor whole = find(file.tensors(), tensor.name());
      if (whole != null) {
        ByteBuffer bytes = slice(file.data(), whole);
        require(bytes.remaining() == target.remaining(), tensor.name());
        target.put(bytes);
        continue;
      }
      Tensor places = find(file.tensors(), tensor.name() + INDICES);
      Tensor values = find(file.tensors(), tensor.name() + VALUES);
      require(places != null && values != null, tensor.name());
      ByteBuffer indices = slice(file.data(), places);
      ByteBuffer bits = slice(file.data(), values);
      require(indices.remaining() == bits.remaining(), tensor.name());
      int last = -1;
      while (indices.hasRemaining()) {
        int index = indices.getInt();
        require(index > last && index < target.capacity() / Float.BYTES, tensor.name());
        target.putInt(Float.BYTES * index, bits.getInt());
        last = index;
      }
    }
    return file(header.asText().getBytes(StandardCharsets.UTF_8), data.array());
  }

  private static void require(boolean condition, String tensor) {
    if (!condition) {
      throw new DataException("the sparse weights of tensor %s are damaged".formatted(tensor));
    }
  }

  private static ByteBuffer little(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static byte[] pad(String header) {
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    int size = (text.length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    byte[] padded = new byte[size];
    Arrays.fill(padded, (byte) ' ');
    System.arraycopy(text, 0, padded, 0, text.length);
    return padded;
  }

  private static byte[] file(byte[] header, byte[] data) {
    return little(Long.BYTES + header.length + data.length)
        .putLong(header.length)
        .put(header)
        .put(data)
        .array();
  }

  private static void add(
      ObjectNode header,
      ByteArrayOutputStream data,
      String name,
      String type,
      long[] shape,
      ByteBuffer bytes) {
    ObjectNode entry = header.putObject(name).put("dtype", type);
    for (long extent : shape) {
      entry.withArray("shape").add(extent);
    }
    if (shape.length == 0) {
      entry.putArray("shape");
    }
    int begin = data.size();
    byte[] content = new byte[bytes.remaining()];
    bytes.get(content);
    data.writeBytes(content);
    entry.putArray("data_offsets").add(begin).add(data.size());
  }

  private static Parsed parse(byte[] content) {
    ByteBuffer bytes = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
    long length = content.length < Long.BYTES ? -1 : bytes.getLong(0);
    if (length < 0 || length > content.length - Long.BYTES) {
      throw new DataException("these bytes are no safetensors file, or one that is cut short");
    }
    int start = Long.BYTES + (int) length;
    String header = new String(content, Long.BYTES, (int) length, StandardCharsets.UTF_8);
    JsonNode tree = json(header);
    List<Tensor> tensors = tensors(tree);
    ByteBuffer data = bytes.slice(start, content.length - start).order(ByteOrder.LITTLE_ENDIAN);
    for (Tensor tensor : tensors) {
      if (tensor.begin() < 0 || tensor.end() < tensor.begin() || tensor.end() > data.capacity()) {
        throw new DataException("tensor %s lies outside of its file".formatted(tensor.name()));
      }
    }
    return new Parsed(header, tree, tensors, data);
  }

  private static JsonNode json(String header) {
    try {
      return Json.parse(header);
    } catch (IllegalArgumentException e) {
      throw new DataException("the header of a safetensors file is " + e.getMessage(), e);
    }
  }

  private static List<Tensor> tensors(JsonNode header) {
    List<Tensor> tensors = new ArrayList<>();
    for (Map.Entry<String, JsonNode> entry : header.properties()) {
      if (!entry.getKey().equals(METADATA)) {
        JsonNode value = entry.getValue();
        List<Long> shape = new ArrayList<>();
        value.path("shape").forEach(extent -> shape.add(extent.asLong()));
        tensors.add(
            new Tensor(
                entry.getKey(),
                value.path("dtype").asText(),
                shape.stream().mapToLong(extent -> extent).toArray(),
                value.at("/data_offsets/0").asInt(-1),
                value.at("/data_offsets/1").asInt(-1)));
      }
    }
    return tensors;
  }

  private static Tensor find(List<Tensor> tensors, String name) {
    return tensors.stream().filter(tensor -> tensor.name().equals(name)).findFirst().orElse(null);
  }

  private static ByteBuffer slice(ByteBuffer data, Tensor tensor) {
    return data.slice(tensor.begin(), tensor.end() - tensor.begin()).order(ByteOrder.LITTLE_ENDIAN);
  }
}
