import { expect, it } from 'vitest';
import { AS_ROOT } from './as-root.ts';
import { capabilitiesOf } from './compose-capabilities.ts';
import { readComposeFile } from './compose-file.ts';

it.each<[string, readonly string[]]>([
  ['cpus: 1', AS_ROOT.add],
  ['user: root', AS_ROOT.add],
  ['user: "0:0"', AS_ROOT.add],
  ['user: node', []],
  ['user: "1000:1000"', []],
  ['cap_drop: [ALL]', []],
  ['cap_drop: [all], cap_add: [SETGID]', ['SETGID']],
  ['cap_drop: [cap_chown], cap_add: [KILL, SETUID]', ['DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID', 'KILL']],
])('let a service change its user as Compose does: %s', (line, capabilities) => {
  const { compose } = readComposeFile(`services: { a: { image: x, ${line} } }`, 'compose.yaml', {});
  expect(capabilitiesOf(compose.services['a'] ?? {})).toEqual(capabilities);
});
