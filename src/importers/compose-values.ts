import { parseArgsStringToArgv } from 'string-argv';
import type { ComposeService, ShortOrLong } from './compose-file.ts';

/** A command as Compose takes it: words, or one text that is split as a shell would. Undefined where it is not set. */
export function words(value: ComposeService['command']): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  return Array.isArray(value) ? value.map(String) : parseArgsStringToArgv(String(value));
}

export interface PublishedPort {
  /** Inside the container. */
  readonly target: number;
  /** On the host; undefined where any will do. */
  readonly published: number | undefined;
  readonly protocol: string;
}

/** Of `8080:80`, `127.0.0.1:8080:80/tcp`, `80`, `3000-3005` or the long form; undefined for what is none of these. */
export function publishedPort(value: ShortOrLong): PublishedPort | undefined {
  if (typeof value === 'object') {
    const target = Number(value['target']);
    return Number.isInteger(target)
      ? { target, published: firstOf(value['published']), protocol: textOf(value['protocol']) ?? 'tcp' }
      : undefined;
  }
  const [, published, target, protocol] =
    /^(?:(?:[^:/]*|\[[^\]]*\]):)??(?:(\d*)(?:-\d+)?:)?(\d+)(?:-\d+)?(?:\/(\w+))?$/.exec(String(value)) ?? [];
  return target === undefined
    ? undefined
    : { target: Number(target), published: firstOf(published), protocol: protocol ?? 'tcp' };
}

function firstOf(value: unknown): number | undefined {
  const number = Number.parseInt(textOf(value) ?? '', 10);
  return Number.isNaN(number) ? undefined : number;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

export interface Mount {
  readonly type: string;
  /** Undefined for an anonymous volume. */
  readonly source: string | undefined;
  readonly target: string;
  /** Of one in memory. */
  readonly size?: string | undefined;
}

/** Of `./conf:/etc/app:ro`, `data:/var/lib`, `/var/cache` or the long form. */
export function mount(value: ShortOrLong): Mount | undefined {
  if (typeof value === 'object') {
    const target = textOf(value['target']);
    const { tmpfs } = value;
    const size = typeof tmpfs === 'object' && tmpfs !== null ? (tmpfs as { readonly size?: unknown }).size : undefined;
    return target === undefined
      ? undefined
      : { type: textOf(value['type']) ?? 'volume', source: textOf(value['source']), target, size: textOf(size) };
  }
  const parts = String(value).split(':');
  const [first = '', second] = parts;
  if (second === undefined) return { type: 'volume', source: undefined, target: first };
  return { type: /^[./~]/.test(first) ? 'bind' : 'volume', source: first, target: second };
}

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** Of `512m`, `1.5gb` or a number of bytes, as templates write sizes; undefined for what is none, and for no limit. */
export function sizeOf(value: unknown, least = 1): string | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([bkmg]?)b?$/i.exec((textOf(value) ?? '').trim()) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  if (amount === undefined || factor === undefined || Number(amount) === 0) return undefined;
  return `${Math.max(least, Math.ceil((Number(amount) * factor) / 2 ** 20))}MiB`;
}

/** What a `healthcheck` runs: undefined when it is switched off or says nothing. */
export function healthCommand(healthcheck: Readonly<Record<string, unknown>> | undefined): string[] | undefined {
  const test = healthcheck?.['test'];
  if (healthcheck?.['disable'] === true) return undefined;
  if (typeof test === 'string') return ['sh', '-c', test];
  if (!Array.isArray(test)) return undefined;
  const [kind, ...rest] = test.map(String);
  if (kind === 'CMD') return rest.length > 0 ? rest : undefined;
  return kind === 'CMD-SHELL' && rest.length > 0 ? ['sh', '-c', rest.join(' ')] : undefined;
}

/** The path that a command such as `curl -f http://localhost:3000/health` asks for at this port. */
export function askedPath(command: readonly string[], port: number): string | undefined {
  const [, asked, path] =
    /https?:\/\/(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d+))?(\/[^\s"'|;&)]*)?/.exec(command.join(' ')) ??
    [];
  if (asked === undefined && path === undefined) return undefined;
  return Number(asked ?? 80) === port ? (path ?? '/') : undefined;
}
