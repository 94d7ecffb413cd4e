import { expect, it } from 'vitest';
import { newHostLabel, newInstanceId } from '../../domain/ids.ts';
import { visitToken } from '../../domain/visit-token.ts';
import { labelIn } from './named-instance.ts';

const label = newHostLabel();
const token = visitToken({ id: newInstanceId(), label, owner: 'somebody' });

it.each([
  `https://${label}.demo.example.org/wp-login.php?next=/`,
  `HTTPS://${label.toUpperCase()}.demo.example.org`,
  `hxxps://${label}[.]demo[.]example[.]org/`,
  `${label}.localhost:8000`,
  label,
  `https://try.example.org/visit/${token}`,
])('finds an instance in %s', (text) => {
  expect(labelIn(text)).toBe(label);
});

/** Of a visit, and it begins as an address does. */
const NAME = `${'abcdef234567'.repeat(2).slice(0, 20)}0189`;

it.each([newInstanceId(), NAME, 'https://try.example.org/', `https://try.example.org/${label}`, 'hello', ''])(
  'finds none in %j',
  (text) => {
    expect(labelIn(text)).toBeUndefined();
  },
);
