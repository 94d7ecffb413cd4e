import { hostPort, ParseError, type HostPort, type Parser } from './parsers.ts';

const ENDPOINT = hostPort('');

/** Where a server is that nodes share. Credentials in it are refused: addresses are shown in logs and messages. */
export function databaseUrl(schemes: readonly [string, ...string[]], defaultPort: number): Parser<HostPort> {
  const shape = new RegExp(`^(?:${schemes.join('|')})://([^/?#]+)/?$`);
  return {
    type: 'URL',
    expects: `${schemes[0]}://host:port, such as ${schemes[0]}://10.0.0.9:${defaultPort}`,
    parse: (text) => {
      if (/^[^/]*\/\/[^/]*@/.test(text))
        return new ParseError('it must not carry a user name or password: they have settings of their own');
      const [, place] = shape.exec(text) ?? [];
      if (place === undefined) return new ParseError();
      return ENDPOINT.parse(/:\d+$/.test(place) && !place.endsWith(']') ? place : `${place}:${defaultPort}`);
    },
  };
}
