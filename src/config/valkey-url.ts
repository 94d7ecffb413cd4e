import type { Endpoint } from '../store/valkey-access.ts';
import { hostPort, ParseError, type Parser } from './parsers.ts';

export interface ValkeyUrl {
  readonly tls: boolean;
  /** The server, or the Sentinels. */
  readonly endpoints: readonly [Endpoint, ...Endpoint[]];
  /** What the Sentinels call the primary; undefined: there are none. */
  readonly master: string | undefined;
}

const SHAPE = /^(?:valkey|redis|rediss|valkeys)(\+sentinel)?:\/\/([^/?#]*)(?:\/([^?#]*))?$/;
const SERVER_PORT = 6379;
const SENTINEL_PORT = 26_379;
const MASTER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const ENDPOINT = hostPort('');

/** Credentials in it are refused: addresses are shown in logs and messages. */
export const valkeyUrl: Parser<ValkeyUrl> = {
  type: 'URL',
  expects:
    'valkey://host:port, or valkeys:// for TLS (redis:// and rediss:// mean the same), or ' +
    'valkey+sentinel://host:port,host:port/name and valkeys+sentinel:// with the addresses of Sentinels and what ' +
    'they call the primary, such as valkeys+sentinel://10.0.0.1:26379,10.0.0.2:26379,10.0.0.3:26379/try-it-now',
  parse: (text) => {
    if (/^[^/]*\/\/[^/]*@/.test(text))
      return new ParseError('it must not carry a user name or password: VALKEY_USER and VALKEY_PASSWORD are for them');
    const [whole, sentinel, hosts = '', path = ''] = SHAPE.exec(text) ?? [];
    if (whole === undefined) return new ParseError();
    if (sentinel === undefined && hosts.includes(','))
      return new ParseError('several addresses are those of Sentinels, with +sentinel after the scheme');
    const [first, ...others] = hosts.split(',').map((host) => endpoint(host, sentinel ? SENTINEL_PORT : SERVER_PORT));
    if (first === undefined || others.includes(undefined)) return new ParseError('an address in it is not right');
    if (sentinel === undefined && !/^0?$/.test(path))
      return new ParseError('database 0 is always used: give each deployment a Valkey of its own');
    if (sentinel !== undefined && !MASTER.test(path))
      return new ParseError('after the addresses, / and the name are needed by which Sentinels call the primary');
    return {
      tls: /^(valkeys|rediss)[+:]/.test(text),
      endpoints: [first, ...others.filter((other) => other !== undefined)],
      master: sentinel === undefined ? undefined : path,
    };
  },
};

function endpoint(text: string, port: number): Endpoint | undefined {
  const full = /:\d+$/.test(text) && !text.endsWith(']') ? text : `${text}:${port}`;
  const found = ENDPOINT.parse(full);
  return found instanceof ParseError ? undefined : found;
}
