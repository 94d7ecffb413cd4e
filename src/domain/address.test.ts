import { expect, it } from 'vitest';
import { foreignHostname } from './address.ts';

const OWN = 'aaaaaaaaaaaaaaaaaaaa';
const OTHER = 'xcn7ai64y5tvqkqptl7v';
const address = { scheme: 'http', baseDomain: 'localhost', port: 8000 } as const;

it.each([
  [`base http://${OTHER}.localhost:8000/`, `${OTHER}.localhost`],
  [`http://${OWN}.localhost:8000/ and //${OTHER}.localhost/x`, `${OTHER}.localhost`],
  [`base http://${OWN}.localhost:8000/`, undefined],
  [`http://${OTHER}.elsewhere.example/`, undefined],
  [`http://longer${OTHER}.localhost/`, undefined],
  ['nothing of the kind', undefined],
])('finds the name of another instance in %j', (text, expected) => {
  expect(foreignHostname(address, OWN, text)).toBe(expected);
});
