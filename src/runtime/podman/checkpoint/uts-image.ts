/**
 * CRIU's image of a UTS namespace: two magic numbers, the length of a protobuf message, and the message, whose first
 * field is the host name and whose second is the domain name (criu/images/utsns.proto).
 */
const HEADER_BYTES = 12;
const HOST_NAME = 0x0a;
/**
 * Longer lengths take more than the one byte that is written and read here; the kernel allows host names of 64 bytes.
 */
const ONE_BYTE = 0x7f;

/** The image with another host name; undefined when it is not laid out as known, and then left as it is. */
export function renamedUts(image: Buffer, hostname: string): Buffer | undefined {
  const name = Buffer.from(hostname);
  if (image.length < HEADER_BYTES + 2 || image.readUInt32LE(8) !== image.length - HEADER_BYTES) return undefined;
  const [tag, length = 0] = image.subarray(HEADER_BYTES);
  if (tag !== HOST_NAME || length > ONE_BYTE || name.length > ONE_BYTE) return undefined;
  const message = Buffer.concat([
    Buffer.from([HOST_NAME, name.length]),
    name,
    image.subarray(HEADER_BYTES + 2 + length),
  ]);
  const header = Buffer.from(image.subarray(0, HEADER_BYTES));
  header.writeUInt32LE(message.length, 8);
  return Buffer.concat([header, message]);
}
