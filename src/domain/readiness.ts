/** Both ends count. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** How an app is asked whether it serves. */
export type AppCheck =
  | {
      readonly kind: 'http';
      readonly path: string;
      /**
       * What the first answer's status may be. Undefined: redirects within the app are followed, and the last answer
       * has to be below 400.
       */
      readonly statuses: readonly StatusRange[] | undefined;
      /** The Host header; the instance's public name without it. */
      readonly host: string | undefined;
    }
  /** It takes connections at its port. */
  | { readonly kind: 'tcp' }
  /** The command, run inside it, ends with exit code 0. */
  | { readonly kind: 'exec'; readonly command: readonly string[] };

/** The check with its times, in ms. */
export type Health = AppCheck & {
  /** How long one request or command may take. */
  readonly requestTimeoutMs: number;
};

export type Readiness = Health & {
  readonly timeoutMs: number;
  /** Undefined: often at first, then more seldom the longer it takes. */
  readonly intervalMs: number | undefined;
};

export const DEFAULT_READINESS = {
  kind: 'http',
  path: '/',
  statuses: undefined,
  host: undefined,
  timeoutMs: 60_000,
  requestTimeoutMs: 10_000,
  intervalMs: undefined,
} as const satisfies Readiness;

export function isWithin(statuses: readonly StatusRange[], status: number): boolean {
  return statuses.some(({ from, to }) => status >= from && status <= to);
}

/** For messages: `GET /healthz`, `a TCP connection`, `exec /app/ready`. */
export function describeCheck(check: AppCheck): string {
  switch (check.kind) {
    case 'http':
      return `GET ${check.path}`;
    case 'tcp':
      return 'a TCP connection';
    case 'exec':
      return `exec ${check.command.join(' ').slice(0, 100)}`;
  }
}

/**
 * The part that an instance depends on. A plain path keeps the shape it always had, so that what was made for it, a
 * checkpoint for one, still fits.
 */
export function versionedReadiness(readiness: Readiness): unknown {
  const { timeoutMs } = readiness;
  switch (readiness.kind) {
    case 'http': {
      const { path, statuses, host } = readiness;
      return statuses === undefined && host === undefined ? { path, timeoutMs } : { path, statuses, host, timeoutMs };
    }
    case 'tcp':
      return { kind: 'tcp', timeoutMs };
    case 'exec':
      return { kind: 'exec', command: readiness.command, timeoutMs };
  }
}
