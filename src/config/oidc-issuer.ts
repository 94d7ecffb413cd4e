import { ParseError, url, type Parser } from './parsers.ts';

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/;
const address = url(['https', 'http'], 'https://id.example.org/realms/ops');

/** As the provider spells it, which may be with a slash at its end. */
export const oidcIssuer: Parser<string> = {
  ...address,
  expects:
    'a URL that starts with https:// (on this host itself also http://), such as https://id.example.org/realms/ops',
  parse: (text) => {
    const checked = address.parse(text);
    if (checked instanceof ParseError) return checked;
    const { protocol, hostname } = new URL(text);
    if (protocol === 'http:' && !LOOPBACK.test(hostname))
      return new ParseError('without TLS, whoever is on the way could say who anybody is');
    return text;
  },
};
