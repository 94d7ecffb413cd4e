import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { onlyGiven, type Given } from './identity-answer.ts';

const hash = (text: string, digest = 'sha256'): string => createHash(digest).update(text).digest('hex');

interface Clone {
  readonly label: string;
  readonly secret: string;
}
const CLONES: readonly [Clone, Clone] = [
  { label: 'abcdefghijklmnopqrst', secret: hash('one') },
  { label: 'bcdefghijklmnopqrstu', secret: hash('other') },
];
const givenTo = ({ label }: Clone): Given => ({
  'the instance id': `i${label}`,
  'the host name': `${label}.demo.example.org`,
  'the label of the host name': label,
  'the URL': `https://${label}.demo.example.org/`,
  'the name of the container': `demo-clone-${label.slice(0, 6)}`,
  'the name of the database': undefined,
});
const told = (answer: (clone: Clone, index: number) => string): readonly string[] | undefined => {
  const [one, other] = CLONES.map((clone, index) => ({ answer: answer(clone, index), given: givenTo(clone) }));
  if (one === undefined || other === undefined) throw new Error('there are two');
  return onlyGiven(one, other);
};

describe('an identity probe that shows only what an instance was given', () => {
  it.each<[string[], (clone: Clone, index: number) => string]>([
    [['the host name'], ({ label }) => `${label}.demo.example.org\n`],
    [['the URL', 'the host name'], ({ label }) => `https://${label}.demo.example.org/ on ${label}.demo.example.org`],
    [['the name of the container'], ({ label }) => `demo-clone-${label.slice(0, 6)}\n`],
    [['the instance id'], ({ label }) => JSON.stringify({ id: `i${label}`, theme: 'dark' })],
    [['the label of the host name'], ({ label }) => `board ${label}`],
    [['a hash of the host name'], ({ label }) => hash(`${label}.demo.example.org`)],
    [['a hash of the host name'], ({ label }) => hash(`${label}.demo.example.org\n`, 'md5').slice(0, 12)],
    [['a hash of the URL'], ({ label }) => `id-${hash(`https://${label}.demo.example.org/`, 'sha1').toUpperCase()}`],
    [['a hash of the instance id'], ({ label }) => Buffer.from(hash(`i${label}`, 'sha512'), 'hex').toString('base64')],
    [['its address'], (_, index) => `10.89.0.${index + 4}:8080`],
    [['its address'], (_, index) => `aa:bb:cc:dd:ee:0${index}`],
    [['its address'], (_, index) => `fd00::89:${index + 1}`],
    [['the time'], (_, index) => `started 2026-11-29T03:36:1${index}.123Z`],
  ])('is told by %s', (found, answer) => {
    expect(told(answer)).toEqual(found);
  });

  it.each<[string, (clone: Clone, index: number) => string]>([
    ['a secret', ({ secret }) => secret],
    ['a hash of a secret beside the name', ({ label, secret }) => `${label}.demo.example.org ${hash(secret)}`],
    ['a hash of name and secret', ({ label, secret }) => hash(label + secret)],
    ['a few digits', (_, index) => String(1234 + index)],
  ])('is not one that shows %s', (_, answer) => {
    expect(told(answer)).toBeUndefined();
  });
});
