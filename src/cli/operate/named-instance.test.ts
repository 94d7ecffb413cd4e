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

it.each([newInstanceId(), 'https://try.example.org/', `https://try.example.org/${label}`, 'hello', ''])(
  'finds none in %j',
  (text) => {
    expect(labelIn(text)).toBeUndefined();
  },
);
