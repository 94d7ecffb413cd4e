import { randomInt } from 'node:crypto';
import { isFree, reservePort } from '../../src/launcher/tcp-ports.ts';
import { eventually } from './eventually.ts';

export interface ClaimedPorts extends AsyncDisposable {
  readonly start: number;
  /** The last one. */
  readonly end: number;
}

/** A claim is of whole blocks, each held by its first port. */
const BLOCK = 100;
/** Above 10080, which fetch refuses to ask, and below the ports that instances have by default. */
const FIRST_BLOCK = 101;
const LAST_BLOCK = 199;
/** Of the ports that discovery has by default. */
const DISCOVERY_BLOCK = 153;
/** Longer than any deployment of a test lives. */
const PATIENCE_MS = 240_000;

/**
 * So many ports in a row for the instances of one deployment, which no other test on this machine gets meanwhile and on
 * which nobody listens. They are free again when disposed of, or when this process ends. Waits for those that others
 * have.
 */
export async function claimPorts(count: number): Promise<ClaimedPorts> {
  return eventually(() => claimNow(count), { timeoutMs: PATIENCE_MS, everyMs: 500 });
}

async function claimNow(count: number): Promise<ClaimedPorts> {
  const blocks = Math.ceil(count / BLOCK);
  const places = LAST_BLOCK - FIRST_BLOCK + 2 - blocks;
  const offset = randomInt(places);
  for (let turn = 0; turn < places; turn += 1) {
    const first = FIRST_BLOCK + ((offset + turn) % places);
    const held = await reserveBlocks(first, blocks);
    if (held === undefined) continue;
    const range = { start: first * BLOCK, end: first * BLOCK + count - 1 };
    if (await allFree(range)) return { ...range, [Symbol.asyncDispose]: () => releaseAll(held) };
    await releaseAll(held);
  }
  throw new Error(
    `nowhere between ${FIRST_BLOCK * BLOCK} and ${(LAST_BLOCK + 1) * BLOCK - 1} are ${count} ports in a row ` +
      'free; end what listens there',
  );
}

async function reserveBlocks(first: number, blocks: number): Promise<AsyncDisposable[] | undefined> {
  const held: AsyncDisposable[] = [];
  for (let block = first; block < first + blocks; block += 1) {
    const reservation = block === DISCOVERY_BLOCK ? undefined : await reservePort(block * BLOCK);
    if (reservation === undefined) {
      await releaseAll(held);
      return undefined;
    }
    held.push(reservation);
  }
  return held;
}

async function allFree({ start, end }: { readonly start: number; readonly end: number }): Promise<boolean> {
  // On every address: an engine may publish on any of them.
  for (let port = start; port <= end; port += 1) if (!(await isFree(port, '0.0.0.0'))) return false;
  return true;
}

async function releaseAll(reservations: readonly AsyncDisposable[]): Promise<void> {
  await Promise.all(reservations.map((reservation) => reservation[Symbol.asyncDispose]()));
}
