// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.filigree.json.Json;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class SparseSafetensorsTest {
  /**
   * A matrix with three of eight left, one of them -0, a full vector, a scalar, an empty tensor.
   */
  private static final String HEADER =
      "{\"__metadata__\":{\"format\":\"pt\"},"
          + "\"w\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[0,32]},"
          + "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[32,40]},"
          + "\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[40,44]},"
          + "\"none\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[44,44]}}  ";

  private static byte[] dense() {
    return file(HEADER, 0, 1.5f, 0, 0, 0, -0.0f, 0, -7, 3, 4, 5);
  }

  private static byte[] file(String header, float... values) {
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes =
        ByteBuffer.allocate(8 + text.length + 4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(text.length).put(text);
    for (float value : values) {
      bytes.putFloat(value);
    }
    return bytes.array();
  }

  @Test
  void comesBackByteForByte() {
    assertThat(SparseSafetensors.expand(SparseSafetensors.compress(dense()))).isEqualTo(dense());
  }

  @Test
  void leavesOutTheZerosOfWhatIsMostlyZero() {
    byte[] sparse = SparseSafetensors.compress(dense());
    int length = (int) ByteBuffer.wrap(sparse).order(ByteOrder.LITTLE_ENDIAN).getLong();
    assertThat(length % 8).isZero();
    var header = Json.parse(new String(sparse, 8, length, StandardCharsets.UTF_8));
    assertThat(header.has("w")).isFalse();
    assertThat(header.at("/w.indices/dtype").asText()).isEqualTo("I32");
    assertThat(header.at("/w.values/shape/0").asInt()).isEqualTo(3);
    assertThat(header.at("/b/shape/0").asInt()).isEqualTo(2);
    assertThat(header.at("/s/shape")).isEmpty();
    ByteBuffer data =
        ByteBuffer.wrap(sparse, 8 + length, sparse.length - 8 - length)
            .slice()
            .order(ByteOrder.LITTLE_ENDIAN);
    assertThat(new int[] {data.getInt(), data.getInt(), data.getInt()}).containsExactly(1, 5, 7);
    assertThat(data.getFloat()).isEqualTo(1.5f);
    assertThat(Float.floatToRawIntBits(data.getFloat())).isEqualTo(0x80000000);
  }

  @Test
  void refusesWhatItDidNotMake() {
    assertThatThrownBy(() -> SparseSafetensors.expand(dense()))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("dense_header");
    assertThatThrownBy(() -> SparseSafetensors.compress(new byte[] {1, 2, 3}))
        .hasMessageContaining("cut short");
    String integers = HEADER.replaceFirst("F32", "I32");
    assertThatThrownBy(() -> SparseSafetensors.compress(file(integers, new float[11])))
        .hasMessageContaining("w is I32");
    assertThatThrownBy(() -> SparseSafetensors.compress(file(HEADER, new float[10])))
        .hasMessageContaining("outside of its file");
  }

  @Test
  void noticesIndicesThatAreOutOfPlace() {
    byte[] sparse = SparseSafetensors.compress(dense());
    int length = (int) ByteBuffer.wrap(sparse).order(ByteOrder.LITTLE_ENDIAN).getLong();
    for (byte index : new byte[] {8, 1, -1}) { // beyond the end, a place before it, far beyond
      byte[] damaged = sparse.clone();
      damaged[8 + length + 8] = index;
      assertThatThrownBy(() -> SparseSafetensors.expand(damaged))
          .as("index %d", index)
          .isInstanceOf(DataException.class)
          .hasMessageContaining("tensor w are damaged");
    }
  }
}
