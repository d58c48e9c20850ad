const leastBytes = 4 * 1024;

/** Bytes that come in pieces, as one buffer: pieces of a byte each, kept one by one, would take a hundred times their size. */
export function gatherBytes() {
  let buffer = Buffer.alloc(0);
  let length = 0;
  return {
    get length() {
      return length;
    },
    add(piece: Uint8Array): void {
      if (length + piece.length > buffer.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(leastBytes, 2 * buffer.length, length + piece.length));
        buffer.copy(larger, 0, 0, length);
        buffer = larger;
      }
      buffer.set(piece, length);
      length += piece.length;
    },
    /** Gives all that was gathered, and begins anew. */
    take(): Buffer {
      const whole = buffer.subarray(0, length);
      buffer = Buffer.alloc(0);
      length = 0;
      return whole;
    },
  };
}
