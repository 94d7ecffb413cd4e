const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** 128 random bits in 22 characters. */
export function newSecret(): string {
  return encoded([...crypto.getRandomValues(new Uint8Array(16))]);
}

/** The bits of a UUID. Throws TypeError for anything else: what can be guessed would hand the instance to others. */
export function secretOf(uuid: string): string {
  if (!UUID.test(uuid)) throw new TypeError('idempotencyKey has to be a UUID, such as crypto.randomUUID() makes');
  return encoded((uuid.match(/[0-9a-f]{2}/gi) ?? []).map((digits) => parseInt(digits, 16)));
}

function encoded(bytes: readonly number[]): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
