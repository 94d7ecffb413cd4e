import type { Destination, Egress } from '../domain/egress.ts';
import { EGRESS } from '../domain/egress.ts';
import { bool, ParseError, type Parser } from './parsers.ts';
import type { YamlSection } from './yaml-section.ts';

const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;
const NAME_LENGTH = 253;

const destination: Parser<Destination> = {
  type: 'destination',
  expects: 'a host name and a port such as api.example.org:443, with /udp behind it for datagrams',
  parse: (text) => {
    const [, name = '', port = '', protocol] = /^([^:/]+):(\d{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
    const host = name.toLowerCase().replace(/\.$/, '');
    if (host.includes('*'))
      return new ParseError('refused because a name that an app makes up can carry data out; name each host');
    const labels = host.split('.');
    // What ends in a number is an address.
    const isName =
      labels.length > 1 && labels.every((label) => LABEL.test(label)) && !/^\d+$/.test(labels.at(-1) ?? '');
    const number = Number(port);
    if (!isName || host.length > NAME_LENGTH || number < 1 || number > 65_535) return new ParseError();
    return { host, port: number, protocol: protocol === 'udp' ? 'udp' : 'tcp' };
  },
};

/** Yes, no, or what else may be reached, or what alone. */
export function readEgress(section: YamlSection): Egress | undefined {
  if (!section.has('egress') || section.isSingle('egress'))
    return section.read('egress', bool)?.value === true ? EGRESS : undefined;
  const choice = section.section('egress', ['mail', 'allow']);
  const mail = choice.read('mail', bool)?.value ?? EGRESS.mail;
  const allow = choice.list('allow', destination, 1);
  if (mail && choice.has('allow'))
    choice.report('mail opens ports for egress to anywhere, and allow names its ports itself: leave mail out', 'mail');
  return { mail, allow };
}
