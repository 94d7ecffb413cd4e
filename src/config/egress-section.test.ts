import { expect, it } from 'vitest';
import { parsed, withLines } from '../../test/support/catalogue.ts';
import { EGRESS } from '../domain/egress.ts';
import { templateVersion, type Template } from '../domain/template.ts';

const only = (line: string): Template => {
  const { templates, problems } = parsed(withLines(line));
  expect(problems).toEqual([]);
  return templates[0] as Template;
};

it('is yes, no, or a group', () => {
  expect(only('egress: false').egress).toBeUndefined();
  expect(only('egress: yes').egress).toEqual(EGRESS);
  expect(only('egress: {}').egress).toEqual(EGRESS);
  expect(only('egress: { mail: true }').egress).toEqual({ ...EGRESS, mail: true });
});

it('makes a version of the template', () => {
  const versions = ['egress: false', 'egress: true', 'egress: { mail: true }'].map((line) =>
    templateVersion(only(line)),
  );
  expect(new Set(versions).size).toBe(versions.length);
  expect(templateVersion(only('egress: {}'))).toBe(versions[1]);
});

const allowed = (...places: string[]) => only(`egress: { allow: [${places.map((each) => `"${each}"`).join(', ')}] }`);

it('says where to by name and port', () => {
  expect(allowed('API.example.org.:443', 'ntp.example.org:123/udp', 'x-1.example:80/tcp').egress).toEqual({
    mail: false,
    allow: [
      { host: 'api.example.org', port: 443, protocol: 'tcp' },
      { host: 'ntp.example.org', port: 123, protocol: 'udp' },
      { host: 'x-1.example', port: 80, protocol: 'tcp' },
    ],
  });
  expect(templateVersion(allowed('a.example:80'))).not.toBe(templateVersion(allowed('a.example:81')));
});

it.each([
  ['allow: ["api.example.org"]', /must be a host name and a port such as/],
  ['allow: ["localhost:80"]', /must be a host name and a port/],
  ['allow: ["192.0.2.1:80"]', /must be a host name and a port/],
  ['allow: ["[::1]:80"]', /must be a host name and a port/],
  ['allow: ["a.example:0"]', /must be a host name and a port/],
  ['allow: ["a.example:65536"]', /must be a host name and a port/],
  ['allow: ["a_b.example:80"]', /must be a host name and a port/],
  ['allow: ["*.example.org:443"]', /refused because a name that an app makes up can carry data out/],
  ['allow: []', /allow/],
  ['mail: true, allow: ["a.example:25"]', /leave mail out/],
])('refuses { %s }', (text, message) => {
  const { problems } = parsed(withLines(`egress: { ${text} }`));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(message);
});
