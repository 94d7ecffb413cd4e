import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parsed, withLines } from '../../test/support/catalogue.ts';
import { earlierVersions, settingsVersion, templateVersion, type Template } from '../domain/template.ts';
import { ownFilter } from '../runtime/isolation/seccomp.ts';

const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'try-it-now-seccomp-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
};
const PROFILE = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }] };
const read = (line: string, at = '/nowhere') => parsed(withLines(line), join(at, 'apps.yaml'));
const only = (line: string, at?: string): Template => {
  const { templates, problems } = read(line, at);
  expect(problems).toEqual([]);
  return templates[0] as Template;
};

it('is ours unless the template says otherwise', () => {
  expect(only('egress: false').seccomp).toEqual(ownFilter('default'));
  expect(only('seccomp: default').seccomp).toEqual(ownFilter('default'));
  expect(only('seccomp: strict').seccomp).toEqual(ownFilter('strict'));
});

it('is a file beside the catalogue, of which the content makes the version, and not the spelling', () => {
  const at = folder();
  const version = (content: string): string => {
    writeFileSync(join(at, 'app.json'), content);
    return templateVersion(only('seccomp: app.json', at));
  };
  const first = version(JSON.stringify(PROFILE));
  expect(only('seccomp: app.json', at).seccomp).toEqual({
    name: join(at, 'app.json'),
    profile: JSON.stringify(PROFILE),
  });
  expect(version(JSON.stringify({ comment: 'Ours.', ...PROFILE }, null, 2))).toBe(first);
  expect(version(JSON.stringify({ ...PROFILE, defaultErrnoRet: 38 }))).not.toBe(first);
  expect(new Set([first, ...['default', 'strict'].map((name) => templateVersion(only(`seccomp: ${name}`)))]).size).toBe(
    3,
  );
});

it('is no decision of operators where it is ours and has changed, unlike a file of theirs', () => {
  const at = folder();
  const settings = (filter: object): string => {
    writeFileSync(join(at, 'app.json'), JSON.stringify(filter));
    return settingsVersion(only('seccomp: app.json', at));
  };
  const [template, strict] = [only('seccomp: default'), only('seccomp: strict')];
  const { earlier: [profile = ''] = [] } = template.seccomp;
  const before = { ...template, seccomp: { name: 'default', profile } };
  expect(earlierVersions(template)).toEqual([templateVersion(before)]);
  expect(earlierVersions(template)).not.toContain(templateVersion(template));
  expect(settingsVersion({ ...template, seccomp: { ...template.seccomp, profile } })).toBe(settingsVersion(template));
  const decided = [template, strict, { ...template, port: 81 }].map((each) => settingsVersion(each));
  const files = [PROFILE, { ...PROFILE, defaultErrnoRet: 38 }].map((each) => settings(each));
  expect(new Set([...decided, ...files]).size).toBe(5);
  expect(earlierVersions(only('seccomp: app.json', at))).toEqual([]);
});

it.each([
  ['unconfined', /refused because an instance could then make every system call of the host/],
  ['none', /must be default, strict, or the path of a seccomp profile/],
  ['missing.json', /there is no file .*missing\.json/],
  ['text.json', /text\.json is not JSON/],
  ['other.json', /other\.json is not a seccomp profile: it needs defaultAction, and syscalls/],
  ['open.json', /lets through what it does not name \(defaultAction SCMP_ACT_ALLOW\); begin with SCMP_ACT_ERRNO/],
  ['large.json', /large\.json has 257 KiB/],
])('refuses %s', (name, reason) => {
  const at = folder();
  writeFileSync(join(at, 'text.json'), 'defaultAction: SCMP_ACT_ERRNO');
  writeFileSync(join(at, 'other.json'), JSON.stringify({ syscalls: PROFILE.syscalls }));
  writeFileSync(join(at, 'open.json'), JSON.stringify({ ...PROFILE, defaultAction: 'SCMP_ACT_ALLOW' }));
  writeFileSync(join(at, 'large.json'), ' '.repeat(2 ** 18 + 1));
  const { problems } = read(`seccomp: ${name}`, at);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(reason);
});
