import { Resolver } from 'node:dns/promises';
import { startResponder, type Responder } from '../../dns/responder.ts';
import { systemClock } from '../../domain/clock.ts';
import type { LookupOutcome } from '../../domain/egress.ts';
import { describeError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { Template } from '../../domain/template.ts';
import { admit, admitOnly } from './address-sets.ts';
import { AllowedNames } from './allowed-names.ts';
import { isBridgeHere } from './bridges.ts';
import type { InstanceNetwork } from './network-plan.ts';

/** How long the host's name servers may take, each of the two times they are asked. In ms. */
const LOOKUP_MS = 2_000;
const LOOKUP_TRIES = 2;
const PORT = 53;

export interface NameServersOptions {
  /** Name servers to ask; the host's own without it. */
  readonly resolvers: readonly string[] | undefined;
  /** Told of each look-up of an instance of this template. */
  readonly onLookup: ((template: string, outcome: LookupOutcome) => void) | undefined;
  readonly log: Log;
}

interface Served {
  readonly gateway: string;
  readonly names: AllowedNames;
  /** Where its instances may connect to, as it was read. */
  destinations: string;
  readonly responder: Responder;
}

/**
 * The name servers of the networks of templates that say where their instances may connect to, at the host's address on
 * each. Another process of this deployment may serve the same network: the newest is asked, the next when it ends.
 */
export class NameServers {
  readonly #options: NameServersOptions;
  readonly #resolver: Resolver;
  readonly #served = new Map<string, Served>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: NameServersOptions) {
    this.#options = options;
    this.#resolver = new Resolver({ timeout: LOOKUP_MS, tries: LOOKUP_TRIES });
    if (options.resolvers !== undefined) this.#resolver.setServers(options.resolvers);
  }

  /**
   * Sees to it that it is served, as soon as its bridge is there, and that what was answered may be reached. Names that
   * cannot be answered take no isolation away: the log says so, and the next call tries again.
   */
  async ensure(network: InstanceNetwork, gateway: string, template: Template): Promise<void> {
    const turn = this.#turn.then(() => this.#ensure(network, gateway, template));
    this.#turn = turn;
    await turn;
  }

  /** Serves these bridges alone from now on: the networks of others are gone. */
  async keep(isKept: (bridge: string) => Promise<boolean>): Promise<void> {
    const turn = this.#turn.then(async () => {
      for (const [bridge, { responder }] of this.#served) {
        if (await isKept(bridge)) continue;
        this.#served.delete(bridge);
        await responder.close();
      }
    });
    this.#turn = turn.catch(() => undefined);
    await turn;
  }

  async close(): Promise<void> {
    await this.#turn;
    this.#resolver.cancel();
    for (const { responder } of this.#served.values()) await responder.close();
    this.#served.clear();
  }

  async #ensure({ bridge, allowed, egress }: InstanceNetwork, gateway: string, { name }: Template): Promise<void> {
    const { log, onLookup } = this.#options;
    try {
      const known = this.#served.get(bridge);
      const destinations = JSON.stringify(egress?.allow ?? []);
      if (known?.gateway === gateway) {
        if (known.destinations === destinations || allowed === undefined) await known.names.admitAgain();
        else {
          // A change holds for those that run, too: no address stays open that is not allowed any more.
          await admitOnly(allowed, known.names.change(egress?.allow ?? []));
          known.destinations = destinations;
          log.info({ template: name, bridge }, 'Other names than before may be reached by instances');
        }
        return;
      }
      // An address that is not there yet cannot be listened on; once it was, that lasts.
      if (allowed === undefined || !(await isBridgeHere(bridge))) return;
      const names = new AllowedNames({
        destinations: egress?.allow ?? [],
        lookUp: (host) => this.#resolver.resolve4(host, { ttl: true }),
        admit: (admissions) => admit(allowed, admissions),
        now: () => systemClock.now(),
        log,
      });
      const responder = await startResponder<LookupOutcome>({
        what: `the name server for instances of ${name}`,
        otherwise: `or have it leave ${gateway} alone`,
        host: gateway,
        port: PORT,
        shared: true,
        answer: (question) => names.answer(question),
        onAnswered: (outcome) => onLookup?.(name, outcome),
      });
      this.#served.set(bridge, { gateway, names, destinations, responder });
      await known?.responder.close();
      log.info({ template: name, host: gateway, bridge }, 'Names that instances may reach are answered');
    } catch (error) {
      log.error(
        { template: name, host: gateway, reason: describeError(error) },
        'Names that instances may reach cannot be answered',
      );
    }
  }
}
