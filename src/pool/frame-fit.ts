import { describeRefusal, type FrameRefusal } from '../domain/frame-refusal.ts';
import type { PublicOrigin } from '../domain/address.ts';
import type { Log } from '../domain/log.ts';
import type { Template } from '../domain/template.ts';
import type { Probe } from './interfaces/probe.ts';
import type { Proxies } from './proxies.ts';

/** For what comes after the page itself: the script files that it loads. */
const SCRIPTS_MS = 5_000;

interface Found {
  readonly version: string;
  readonly open: string;
  readonly refusal: FrameRefusal | undefined;
}

/**
 * Whether the landing pages of templates can be shown in a frame. The first instance of each version that comes up here
 * is looked at, restored or not; the others are the same app.
 */
export class FrameFit {
  readonly #probe: Pick<Probe, 'framing'>;
  readonly #proxies: Pick<Proxies, 'preferred'>;
  readonly #log: Log;
  /** By template. */
  readonly #found = new Map<string, Found>();

  constructor({
    probe,
    proxies,
    log,
  }: {
    readonly probe: Pick<Probe, 'framing'>;
    readonly proxies: Pick<Proxies, 'preferred'>;
    readonly log: Log;
  }) {
    this.#probe = probe;
    this.#proxies = proxies;
    this.#log = log;
  }

  /** Why an instance that is reached by its name has to be opened in a tab of its own; undefined if it need not. */
  async refusal(
    { name, frame, open, readiness }: Template,
    version: string,
    visitor: PublicOrigin,
    signal: AbortSignal,
  ): Promise<FrameRefusal | undefined> {
    if (frame === 'off') return undefined;
    const known = this.#found.get(name);
    if (known?.version === version && known.open === open) return known.refusal;
    const timeoutMs = readiness.requestTimeoutMs + SCRIPTS_MS;
    const looked = await this.#probe.framing({ url: `${this.#proxies.preferred}${open}`, visitor, timeoutMs }, signal);
    if (looked.kind === 'unknown') return undefined;
    const refusal = looked.kind === 'refuses' ? looked.refusal : undefined;
    this.#found.set(name, { version, open, refusal });
    if (refusal !== undefined)
      this.#log.info(
        { template: name, reason: describeRefusal(refusal) },
        'Visitors get this app in a tab of its own, without the bar: a frame would not show it',
      );
    return refusal;
  }
}
