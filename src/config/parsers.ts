import { isIP, isIPv4 } from 'node:net';
import ms, { type StringValue } from 'ms';
import { OPERATOR_ROLES, PREVIEWS_ROLE, type OperatorKey, type RoleGrant } from '../domain/operator-role.ts';
import type { CheckpointMode } from './config.ts';

/**
 * How the text of a setting becomes its value. One kind serves environment variables, the catalogue
 * file and the reference page.
 */
export interface Parser<T> {
  /** What the reference page calls it. */
  readonly type: string;
  /** Completes "it must be …", with the bounds and an example. */
  readonly expects: string;
  /** As JSON Schema has it, for editors; without it any single value. */
  readonly json?: Readonly<Record<string, unknown>>;
  readonly parse: (text: string) => T | ParseError;
}

/** The text is not of its kind; `why` tells what `expects` alone would not. */
export class ParseError {
  readonly why: string | undefined;

  constructor(why?: string) {
    this.why = why;
  }
}

export function integer(min: number, max: number, example: number): Parser<number> {
  return {
    type: 'whole number',
    expects: `a whole number from ${min} to ${max}, such as ${example}`,
    json: { type: 'integer', minimum: min, maximum: max },
    parse: (text) =>
      /^\d{1,15}$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : new ParseError(),
  };
}

export function decimal(min: number, max: number, example: number): Parser<number> {
  return {
    type: 'number',
    expects: `a number from ${min} to ${max}, such as ${example}`,
    json: { type: 'number', minimum: min, maximum: max },
    parse: (text) =>
      /^\d{1,9}(\.\d{1,9})?$/.test(text) && Number(text) >= min && Number(text) <= max
        ? Number(text)
        : new ParseError(),
  };
}

/** In milliseconds. The unit is required: a bare number would leave open whether seconds were meant. */
export function duration(min: StringValue, max: StringValue, example: StringValue): Parser<number> {
  return {
    type: 'duration',
    expects: `a duration from ${min} to ${max} with one unit (ms, s, m, h, d), such as ${example}`,
    json: { type: 'string', pattern: String.raw`^\d+(\.\d+)? ?(ms|s|m|h|d)$` },
    parse: (text) => {
      if (/^[\d.]+$/.test(text)) return new ParseError('the unit is missing');
      if (!/^\d+(\.\d+)? ?(ms|s|m|h|d)$/.test(text)) return new ParseError();
      const value = Math.round(ms(text as StringValue));
      return value >= ms(min) && value <= ms(max) ? value : new ParseError();
    },
  };
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  kib: 2 ** 10,
  k: 2 ** 10,
  mib: 2 ** 20,
  m: 2 ** 20,
  gib: 2 ** 30,
  g: 2 ** 30,
};
const SIZE = /^(\d{1,9}(?:\.\d{1,6})?) ?(KiB|MiB|GiB|k|m|g)$/i;

function bytes(text: string): number {
  const [, amount = '', unit = ''] = SIZE.exec(text) ?? [];
  return Math.round(Number(amount) * (SIZE_UNITS[unit.toLowerCase()] ?? Number.NaN));
}

/** In bytes. Binary units in full, or the single letters that `docker run --memory` takes and that mean the same. */
export function size(min: string, max: string, example: string): Parser<number> {
  return {
    type: 'size',
    expects: `a size from ${min} to ${max} with its unit (KiB, MiB, GiB, or k, m, g), such as ${example}`,
    json: { type: 'string', pattern: String.raw`^\d+(\.\d+)? ?([KkMmGg]|[Kk][Ii][Bb]|[Mm][Ii][Bb]|[Gg][Ii][Bb])$` },
    parse: (text) => {
      if (!SIZE.test(text)) return /^\d+$/.test(text) ? new ParseError('the unit is missing') : new ParseError();
      return bytes(text) >= bytes(min) && bytes(text) <= bytes(max) ? bytes(text) : new ParseError();
    },
  };
}

export const bool: Parser<boolean> = {
  type: 'yes or no',
  expects: 'true or false',
  json: { enum: [true, false, 'yes', 'no', 'on', 'off', 0, 1] },
  parse: (text) => {
    if (/^(true|yes|on|1)$/i.test(text)) return true;
    return /^(false|no|off|0)$/i.test(text) ? false : new ParseError();
  },
};

export function oneOf<const T extends string>(choices: readonly T[]): Parser<T> {
  return {
    type: choices.join(', '),
    expects: `one of ${choices.join(', ')}`,
    json: { enum: choices },
    parse: (text) => choices.find((choice) => choice === text) ?? new ParseError(),
  };
}

export function matching(type: string, pattern: RegExp, expects: string): Parser<string> {
  // YAML takes what looks like a number for one; the pattern is for what it takes for a text.
  const json = { type: ['string', 'number'], pattern: pattern.source };
  return { type, expects, json, parse: (text) => (pattern.test(text) ? text : new ParseError()) };
}

export function text(maxLength: number): Parser<string> {
  return {
    type: 'text',
    expects: `one line of text of at most ${maxLength} characters`,
    // A control character in a title or a path would end up in a header or a log line.
    // oxlint-disable-next-line no-control-regex -- control characters are exactly what must not pass
    parse: (value) => (value.length <= maxLength && !/[\u0000-\u001f\u007f]/.test(value) ? value : new ParseError()),
  };
}

/** Words for people: line ends and runs of blanks count as one blank, so that YAML's folding does not show. */
export function prose(maxLength: number): Parser<string> {
  return {
    type: 'text',
    expects: `a text of 1 to ${maxLength} characters`,
    parse: (value) => {
      const words = value.replace(/\s+/g, ' ').trim();
      // oxlint-disable-next-line no-control-regex -- control characters are exactly what must not pass
      return words !== '' && words.length <= maxLength && !/[\u0000-\u001f\u007f]/.test(words)
        ? words
        : new ParseError();
    },
  };
}

/** Commas between the entries; blanks around them and empty entries do not count, but `least` others must be there. */
export function listOf<T>(entry: Parser<T>, least = 0): Parser<readonly T[]> {
  return {
    type: `list of ${entry.type}`,
    expects: `a list with commas between, each entry ${entry.expects}`,
    parse: (text) => {
      const values: T[] = [];
      for (const part of text
        .split(/[,\n]/)
        .map((piece) => piece.trim())
        .filter((piece) => piece !== '')) {
        const value = entry.parse(part);
        if (value instanceof ParseError) return new ParseError(value.why ?? 'an entry is not right');
        values.push(value);
      }
      return values.length < least ? new ParseError('there is no entry in it') : values;
    },
  };
}

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const HOST_NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*$`, 'i');

/**
 * A DNS name, in lower case. The longest instance label (20) and its dot must still fit into the
 * 253 characters of a name.
 */
export const domainName: Parser<string> = {
  type: 'domain',
  expects: 'a domain name without scheme and port, such as demo.example.org',
  parse: (text) =>
    HOST_NAME.test(text) && isIP(text) === 0 && text.length <= 253 - 21 ? text.toLowerCase() : new ParseError(),
};

export const ipv4: Parser<string> = {
  type: 'IPv4 address',
  expects: 'an IPv4 address, such as 127.0.0.1',
  parse: (text) => (isIPv4(text) ? text : new ParseError()),
};

/** As the kernel spells it: `10.0.0.7/32` for an address, and a block by its first one. */
export const ipv4Block: Parser<string> = {
  type: 'IPv4 address or CIDR block',
  expects: 'an IPv4 address or a CIDR block, such as 10.0.0.7 or 10.0.0.0/24',
  parse: (text) => {
    const [, address = '', digits = '32'] = /^([\d.]+)(?:\/(\d{1,2}))?$/.exec(text) ?? [];
    const prefix = Number(digits);
    if (!isIPv4(address) || prefix < 1 || prefix > 32) return new ParseError(`${JSON.stringify(text)} is neither`);
    const bits = address.split('.').reduce((sum, each) => sum * 256 + Number(each), 0);
    const first = bits - (bits % 2 ** (32 - prefix));
    return `${[24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.')}/${prefix}`;
  },
};

export const listenHost: Parser<string> = {
  type: 'address',
  expects: 'an IP address or host name to listen on, such as 127.0.0.1 or 0.0.0.0',
  parse: (text) => (isIP(text) !== 0 || HOST_NAME.test(text) ? text : new ParseError()),
};

export const ipOrBlock: Parser<string> = {
  type: 'IP or CIDR block',
  expects: 'an IP address or a CIDR block, such as 10.0.0.0/8',
  parse: (text) => {
    const [address = '', prefix, ...rest] = text.split('/');
    const family = isIP(address);
    const wide = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
    return family !== 0 && wide && rest.length === 0 ? text : new ParseError(`${JSON.stringify(text)} is neither`);
  },
};

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

function splitHostPort(text: string): HostPort | undefined {
  const [, bracketed, plain, digits = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const port = Number(digits);
  return digits === '' || port < 1 || port > 65535 ? undefined : { host, port };
}

export function hostPort(example: string): Parser<HostPort> {
  return {
    type: 'host:port',
    expects: `host:port without a scheme (an IPv6 address in brackets), such as ${example}`,
    parse: (text) => {
      const parts = splitHostPort(text);
      return parts !== undefined && (isIP(parts.host) !== 0 || HOST_NAME.test(parts.host)) ? parts : new ParseError();
    },
  };
}

/** Where Caddy's resolver dials: an address, because nothing would resolve a name for the resolver. */
export const ipPort: Parser<HostPort> = {
  type: 'IP:port',
  expects: 'IP:port, such as 127.0.0.1:15353',
  parse: (text) => {
    const parts = splitHostPort(text);
    return parts !== undefined && isIP(parts.host) !== 0 ? parts : new ParseError();
  },
};

/** As Caddy spells it; an empty host means every address. */
/** Of `text` the addresses, with commas between; `host` is the first one's. */
export const listenAddresses: Parser<HostPort & { readonly text: string }> = {
  type: '[host]:port list',
  expects: ':port or host:port, such as :8000, or several of one port with commas between',
  parse: (text) => {
    const all = text.split(',').map((each) => splitHostPort(each.trim()));
    const [first] = all;
    const isRight = (parts: HostPort | undefined): boolean =>
      parts?.port === first?.port &&
      parts !== undefined &&
      (parts.host === '' || isIP(parts.host) !== 0 || HOST_NAME.test(parts.host));
    return first !== undefined && all.every(isRight) ? { ...first, text: text.replaceAll(' ', '') } : new ParseError();
  },
};

/** An address without a trailing slash. Credentials in it are refused: addresses are shown in logs and messages. */
export function url(schemes: readonly string[], example: string): Parser<string> {
  return {
    type: 'URL',
    expects: `a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}, such as ${example}`,
    parse: (text) => {
      const parsed = URL.canParse(text) ? new URL(text) : undefined;
      if (parsed === undefined || !schemes.includes(parsed.protocol.slice(0, -1)) || parsed.hostname === '')
        return new ParseError();
      if (parsed.username !== '' || parsed.password !== '')
        return new ParseError('it must not carry a user name or password');
      return parsed.search === '' && parsed.hash === ''
        ? text.replace(/\/+$/, '')
        : new ParseError('it must not carry a ? or # part');
    },
  };
}

/** One or more of such addresses, of one scheme, as the text that was given. */
export function servers(schemes: readonly string[], example: string): Parser<string> {
  const list = listOf(url(schemes, example), 1);
  return {
    type: 'list of URL',
    expects: `${url(schemes, example).expects}; several with commas between`,
    parse: (text) => {
      const found = list.parse(text);
      if (found instanceof ParseError) return found;
      return new Set(found.map((one) => new URL(one).protocol)).size === 1
        ? found.join(',')
        : new ParseError('they must all begin alike');
    },
  };
}

/** Odd numbers alone: four would outlive no more losses than three. */
export const replicas: Parser<number> = {
  type: '1, 3, 5',
  expects: 'one of 1, 3, 5',
  parse: (text) => (/^[135]$/.test(text) ? Number(text) : new ParseError()),
};

const BY_HTTP = url(['http', 'https'], '');

/** By HTTP, over TCP or over a unix socket. */
export const socketOrUrl: Parser<string> = {
  type: 'URL',
  expects:
    'a URL that starts with http:// or https://, such as http://127.0.0.1:2019, or unix:// and the full path of a ' +
    'socket, such as unix:///run/caddy/admin.sock',
  parse: (text) => {
    if (!text.startsWith('unix:')) return BY_HTTP.parse(text);
    return /^unix:\/\/\/[^\0?#]*[^\0?#/]$/.test(text) ? text : new ParseError();
  },
};

export const path: Parser<string> = {
  type: 'path',
  expects: 'the path of a file',
  parse: (text) => (text.includes('\0') ? new ParseError() : text),
};

/** Of a server that we log in to. */
export const password = text(1000);

/** Long enough that guessing is hopeless at any rate the API answers at. */
const API_KEY_LENGTH = 16;
export const apiKey: Parser<string> = {
  type: 'key',
  expects: `at least ${API_KEY_LENGTH} printable characters without blanks; \`openssl rand -hex 24\` makes one`,
  parse: (key) => {
    if (!/^[\x21-\x7e]+$/.test(key)) return new ParseError('a key has a blank or a character that no header can carry');
    return key.length >= API_KEY_LENGTH ? key : new ParseError('a key is too short');
  },
};

/** Without a role it may everything, as every key did before there were roles. */
export const operatorKey: Parser<OperatorKey> = {
  type: 'key',
  expects:
    `a key (${apiKey.expects}), with \`viewer:\`, \`operator:\`, \`admin:\`, \`previews:\` or ` +
    '`previews@TEMPLATE:` before it for its role',
  parse: (text) => {
    if (text.startsWith(`${PREVIEWS_ROLE}:`) || text.startsWith(`${PREVIEWS_ROLE}@`)) return previewsKey(text);
    const named = OPERATOR_ROLES.find((role) => text.startsWith(`${role}:`));
    // A slip, or of a newer version: without the role the whole of it would be a key that may everything.
    if (named === undefined && text.includes(':'))
      return new ParseError('what stands before a colon is no role; a key that has one takes `admin:` before it');
    const key = apiKey.parse(named === undefined ? text : text.slice(named.length + 1));
    return key instanceof ParseError ? key : { key, role: named ?? 'admin' };
  },
};

/** What cannot be read of it is refused: as a key without a role it might everything. */
function previewsKey(text: string): OperatorKey | ParseError {
  const [, previewsOf, rest = ''] = /^previews(?:@([a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?))?:(.*)$/.exec(text) ?? [];
  const key = apiKey.parse(rest);
  if (key instanceof ParseError) return key;
  return { key, role: PREVIEWS_ROLE, ...(previewsOf === undefined ? {} : { previewsOf }) };
}

/** No comma can be in the value, as grants are listed with commas between. */
export const roleGrant: Parser<RoleGrant> = {
  type: 'role:value',
  expects: '`viewer:`, `operator:` or `admin:`, and the value of the claim that it is granted to, such as admin:ops',
  parse: (entry) => {
    const role = OPERATOR_ROLES.find((each) => entry.startsWith(`${each}:`));
    const value = role === undefined ? '' : entry.slice(role.length + 1).trim();
    if (role === undefined || value === '' || text(200).parse(value) instanceof ParseError) return new ParseError();
    return { role, value };
  },
};

/** As a browser sends it in `Origin`: scheme, host, and the port where it is not the scheme's own. */
export const webOrigin: Parser<string> = {
  type: 'origin',
  expects: 'the origin of a page: scheme and host in lower case, no path, such as https://docs.example.org',
  parse: (text) =>
    /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text ? text : new ParseError(),
};

/** As `location.host` has it: the port is named where it is not the scheme's own. */
export const siteHost = matching(
  'host',
  /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::\d{1,5})?$/,
  'a host in lower case, such as docs.example.org',
);

export const checkpointMode: Parser<CheckpointMode> = {
  type: 'auto, true, false',
  expects: 'one of auto, true, false',
  parse: (word) => {
    if (word === 'auto') return word;
    const wanted = bool.parse(word);
    if (wanted instanceof ParseError) return wanted;
    return wanted ? 'on' : 'off';
  },
};
