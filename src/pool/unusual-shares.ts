import { clientNetwork, networkOf } from '../domain/client-network.ts';
import { SUSPECT_KINDS, type Suspect, type SuspectKind, type Suspicion } from '../domain/suspect.ts';

/** What is counted of each. */
const SHARE_FIGURES = ['taken', 'ended', 'unopened', 'refused', 'harmful'] as const;
export type ShareFigure = (typeof SHARE_FIGURES)[number];
type Figures = Record<ShareFigure, number>;

export type Finding = Omit<Suspect, 'v' | 'sinceMs' | 'lastMs'>;

/** Of all together. */
const EVERYBODY = 'all -';
/** What honest visitors do in ten minutes stays below all of these. */
const LEAST_TAKEN = 10;
const LEAST_UNOPENED = 10;
const LEAST_REFUSED = 30;
/** One may be an accident. */
const LEAST_HARMFUL = 2;
/** Against the average of all others. */
const UNUSUAL_FACTOR = 5;
/** Of everything that was handed out. */
const LEAST_SHARE = 1 / 5;
/** Of a network's: then the address is who it is. */
const MOST_OF_IT = 4 / 5;
/** Where others do not open theirs either, it is not seen who does. */
const OTHERS_TO_COMPARE = 5;

/** Somebody who took an instance, was refused one, or whose visit ended. */
export interface Taker {
  readonly clientKey: string;
  /** A digest of one browser's; undefined: no browser. */
  readonly visitor: string | undefined;
  /** Undefined: no page that embeds. */
  readonly site: string | undefined;
}

/** Where these are counted. */
export function shareFields({ clientKey, visitor, site }: Taker, figures: readonly ShareFigure[]): readonly string[] {
  const network = networkOf(clientKey);
  return [
    EVERYBODY,
    `address ${clientKey}`,
    ...(network === clientKey ? [] : [`network ${network}`]),
    ...(visitor === undefined ? [] : [`visitor ${visitor}@${clientKey}`]),
    ...(site === undefined ? [] : [`site ${site}`]),
  ].flatMap((counted) => figures.map((figure) => `${counted} ${figure}`));
}

/** Who takes an unusual share: each once, where an address is enough without the network around it. */
export function unusualShares(counts: ReadonlyMap<string, number>): readonly Finding[] {
  const { all, byKind, networks } = sumUp(counts);
  const found = SUSPECT_KINDS.flatMap((kind) =>
    [...byKind[kind]].flatMap(([who, figures]): Finding[] => {
      const why = suspicion(kind, figures, all, byKind[kind].size - 1);
      const network = kind === 'visitor' ? networks.get(who)?.client : kind === 'site' ? undefined : who;
      const banned = network === undefined ? undefined : clientNetwork(network);
      return why === undefined
        ? []
        : [{ kind, who, why, ...figures, takenByAll: all.taken, ...(banned === undefined ? {} : { network: banned }) }];
    }),
  );
  const addresses = found.filter(({ kind }) => kind === 'address');
  return found.filter(
    (one) =>
      one.kind === 'address' ||
      one.kind === 'site' ||
      !addresses.some(
        ({ who, network, taken, refused }) =>
          (one.kind === 'network' ? networkOf(who) === one.who : network === one.network) &&
          taken + refused >= MOST_OF_IT * (one.taken + one.refused),
      ),
  );
}

function suspicion(kind: SuspectKind, own: Figures, all: Figures, others: number): Suspicion | undefined {
  // Worse than any share.
  if (kind !== 'site' && own.harmful >= LEAST_HARMFUL) return 'harm';
  // A page that many find their way from is what everybody hopes for.
  if (kind !== 'site') {
    const usual = others === 0 ? 0 : (all.taken - own.taken) / others;
    const share = Math.max(LEAST_TAKEN, UNUSUAL_FACTOR * usual, LEAST_SHARE * all.taken);
    if (own.taken >= share) return 'share';
    if (own.refused >= LEAST_REFUSED) return 'refused';
  }
  const othersEnded = all.ended - own.ended;
  const othersOpen = othersEnded < OTHERS_TO_COMPARE || all.unopened - own.unopened < othersEnded / 2;
  return own.unopened >= LEAST_UNOPENED && own.unopened >= own.ended / 2 && othersOpen ? 'unopened' : undefined;
}

function sumUp(counts: ReadonlyMap<string, number>) {
  const all = none();
  const byKind: Record<SuspectKind, Map<string, Figures>> = {
    address: new Map(),
    network: new Map(),
    visitor: new Map(),
    site: new Map(),
  };
  /** Where a visitor asks from most. */
  const networks = new Map<string, { readonly client: string; readonly count: number }>();
  for (const [field, count] of counts) {
    const [kindText, counted = '', figureText] = field.split(' ');
    const figure = SHARE_FIGURES.find((each) => each === figureText);
    const kind = SUSPECT_KINDS.find((each) => each === kindText);
    if (figure !== undefined && `${kindText} ${counted}` === EVERYBODY) all[figure] += count;
    if (figure === undefined || kind === undefined) continue;
    const [who = '', client] = kind === 'visitor' ? counted.split('@') : [counted];
    const figures = byKind[kind].get(who) ?? none();
    figures[figure] += count;
    byKind[kind].set(who, figures);
    if (client !== undefined && count > (networks.get(who)?.count ?? 0)) networks.set(who, { client, count });
  }
  return { all, byKind, networks };
}

function none(): Figures {
  return { taken: 0, ended: 0, unopened: 0, refused: 0, harmful: 0 };
}
