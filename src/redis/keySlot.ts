/** The hash slot of a key (Redis Cluster specification, "Key distribution model"): CRC16/XMODEM modulo 16,384. */

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** Of the part between the first `{` and the next `}` where there is one that is not empty, else of the whole key. */
export function keySlot(key: string | Buffer): number {
  const bytes = typeof key === 'string' ? Buffer.from(key) : key;
  const open = bytes.indexOf(0x7b);
  const close = open === -1 ? -1 : bytes.indexOf(0x7d, open + 1);
  const [from, to] = close > open + 1 ? [open + 1, close] : [0, bytes.length];
  let crc = 0;
  for (let i = from; i < to; i++) {
    crc = ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ (bytes[i] as number)] as number);
  }
  return crc & 0x3fff;
}
