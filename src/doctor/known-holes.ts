import { isAtLeast, ok, warning, type Observation } from './check.ts';

const WHAT = 'known holes';

interface Hole {
  readonly id: string;
  /** What somebody could do with it. */
  readonly about: string;
  /** The first versions without it, one for each line that was repaired; later lines never had it. */
  readonly fixedIn: readonly string[];
}

/** Of the language's own HTTP server, in everything that was built with it (pkg.go.dev/vuln). */
const OF_GO: readonly Hole[] = [
  { id: 'CVE-2023-39325', about: 'HTTP/2 resets exhaust it', fixedIn: ['1.20.10', '1.21.3'] },
  { id: 'CVE-2023-45288', about: 'HTTP/2 headers without end exhaust it', fixedIn: ['1.21.9', '1.22.2'] },
];
/** advisories.nats.io */
const OF_NATS: readonly Hole[] = [
  { id: 'CVE-2025-30215', about: 'a user deletes the streams of other accounts', fixedIn: ['2.10.27', '2.11.1'] },
];

/** Holes that were repaired since: `version` is the server's own, `go` what it was built with, as `go1.19.8`. */
export function natsHoles(version: string, go: string | undefined): Observation {
  return observe({
    seen: `${version}${built(go)}`,
    holes: [...affecting(version, OF_NATS), ...goHoles(go)],
    source: 'the releases of https://github.com/nats-io/nats-server (packages for Debian are among them)',
  });
}

export function caddyHoles(go: string): Observation {
  return observe({
    seen: `the program on this host was${built(go)}`,
    holes: goHoles(go),
    source: "Caddy's own packages (https://caddyserver.com/docs/install)",
  });
}

function observe(found: {
  readonly seen: string;
  readonly holes: readonly Hole[];
  readonly source: string;
}): Observation {
  const { seen, holes, source } = found;
  if (holes.length === 0) return ok(WHAT, `none that this program knows of: ${seen}`);
  const listed = holes.map(({ id, about }) => `${id}, by which ${about}`).join('; ');
  return warning(WHAT, `${seen}: ${listed}`, `Install a newer one: ${source}; Debian 12 has no repaired one.`);
}

function built(go: string | undefined): string {
  return go === undefined ? '' : ` built with ${go}`;
}

function goHoles(go: string | undefined): readonly Hole[] {
  const version = /^go(\d+\.\d+(?:\.\d+)?)/.exec(go ?? '')?.[1];
  return version === undefined ? [] : affecting(version, OF_GO);
}

function affecting(version: string, holes: readonly Hole[]): readonly Hole[] {
  return holes.filter(({ fixedIn }) => !fixedIn.some((fix, at) => repairs(version, fix, at === fixedIn.length - 1)));
}

/** A fix stands for its own line, as 1.21 is one; the last for all later ones too. */
function repairs(version: string, fix: string, last: boolean): boolean {
  const line = (of: string): string => of.split('.').slice(0, 2).join('.');
  return isAtLeast(version, fix.split('.').map(Number)) && (last || line(version) === line(fix));
}
