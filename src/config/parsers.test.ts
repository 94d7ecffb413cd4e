import { describe, expect, it } from 'vitest';
import * as parsers from './parsers.ts';

const { ParseError } = parsers;

describe.each<[string, parsers.Parser<unknown>, readonly (readonly [string, unknown])[], readonly string[]]>([
  [
    'integer',
    parsers.integer(1, 10, 3),
    [
      ['1', 1],
      ['10', 10],
    ],
    ['0', '11', '1.5', '-1', '1e1', '', ' 3', '３'],
  ],
  [
    'decimal',
    parsers.decimal(0, 1, 0.5),
    [
      ['0.25', 0.25],
      ['1', 1],
    ],
    ['1.01', '.5', '-0.1', 'NaN', 'Infinity'],
  ],
  [
    'duration',
    parsers.duration('1s', '2h', '5m'),
    [
      ['90s', 90_000],
      ['1.5h', 5_400_000],
      ['2 m', 120_000],
    ],
    ['90', '3h', '500ms', '1h30m', '-1s', 's'],
  ],
  [
    'size',
    parsers.size('1MiB', '2GiB', '64MiB'),
    [
      ['64MiB', 64 * 2 ** 20],
      ['1g', 2 ** 30],
      ['1.5 GiB', 1.5 * 2 ** 30],
    ],
    ['64', '3GiB', '1KiB', '64MB', 'MiB'],
  ],
  [
    'bool',
    parsers.bool,
    [
      ['yes', true],
      ['OFF', false],
      ['1', true],
    ],
    ['', 'y', 'ja', '2'],
  ],
  ['one of', parsers.oneOf(['auto', 'off']), [['auto', 'auto']], ['AUTO', '', 'autos']],
  [
    'text',
    parsers.text(5),
    [
      ['abcde', 'abcde'],
      ['', ''],
    ],
    ['abcdef', 'a\nb', 'a\u007f'],
  ],
  [
    'list',
    parsers.listOf(parsers.integer(1, 9, 1), 1),
    [
      ['1, 2,,3', [1, 2, 3]],
      ['1\n2', [1, 2]],
    ],
    ['', ' , ', '1,x'],
  ],
  [
    'domain',
    parsers.domainName,
    [['Demo.Example.org', 'demo.example.org']],
    ['127.0.0.1', 'a..b', '-a.b', 'http://a.b'],
  ],
  [
    'block',
    parsers.ipOrBlock,
    [
      ['10.0.0.0/8', '10.0.0.0/8'],
      ['::1', '::1'],
      ['fd00::/8', 'fd00::/8'],
    ],
    ['10.0.0.0/33', '10.0.0.0/8/8', 'host', '::/129', '10.0.0.0/'],
  ],
  [
    'host:port',
    parsers.hostPort('127.0.0.1:1'),
    [
      ['valkey:6379', { host: 'valkey', port: 6379 }],
      ['[::1]:1', { host: '::1', port: 1 }],
    ],
    ['valkey', ':1', 'valkey:0', 'valkey:65536', '::1:1', 'redis://a:1'],
  ],
  ['IP:port', parsers.ipPort, [['127.0.0.1:53', { host: '127.0.0.1', port: 53 }]], ['localhost:53', '127.0.0.1']],
  [
    'URL',
    parsers.url(['https'], 'https://a'),
    [['https://a.b/c/', 'https://a.b/c']],
    ['http://a.b', 'https://u:p@a.b', 'https://a.b?c', 'https://a.b#c', 'a.b', 'https://'],
  ],
])('%s', (_, parser, right, wrong) => {
  it.each(right)('reads %j', (text, value) => expect(parser.parse(text)).toEqual(value));

  it.each(wrong)('refuses %j', (text) => expect(parser.parse(text)).toBeInstanceOf(ParseError));

  it('shows an example that it would read itself', () => {
    const example = /such as ([^,(]+)$/.exec(parser.expects)?.[1];
    if (example !== undefined) expect(parser.parse(example)).not.toBeInstanceOf(ParseError);
  });
});

it('says that a unit is missing instead of repeating what is expected', () => {
  for (const parser of [parsers.duration('1s', '2h', '5m'), parsers.size('1MiB', '2GiB', '64MiB')])
    expect(parser.parse('10')).toMatchObject({ why: expect.stringContaining('unit') as string });
});
