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
