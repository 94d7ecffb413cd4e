import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { promisify } from 'node:util';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { takeMark } from '../../src/launcher/host-marks.ts';
import { MAIL_PORTS } from '../../src/runtime/isolation/flow-limits.ts';
import { openPage } from './container-inside.ts';
import { eventually } from './eventually.ts';

const run = promisify(execFile);
const ip = async (...args: readonly string[]): Promise<void> => {
  await run('ip', args);
};

/**
 * A stranger's machine beyond the host: a network of its own with a web server (port 8080) and a name server (port 53).
 */
export interface OutsideNetwork extends AsyncDisposable {
  /** A public address. */
  readonly address: string;
  /** The same machine under an address of a private range. */
  readonly privateAddress: string;
  /** The host's own address on the way there. */
  readonly hostAddress: string;
  readonly webPort: 8080;
  /** Web servers as well. */
  readonly mailPorts: readonly number[];
  /** Whether a web server answers it there. */
  readonly reaches: (address: string, port: number) => Promise<boolean>;
}

/**
 * Answers A questions with 192.0.2.77, or with the address that the name says (`a-10-0-0-1.example`), behind an alias
 * where it begins so (`alias-10-0-0-1.example`); and HTTP with "outside".
 */
const SERVERS = `
const dgram = require('node:dgram'), http = require('node:http'), { decode, encode } = require('dns-packet');
const answers = ({ type, name }) => {
  if (type !== 'A') return [];
  const [, kind, digits] = /^(a|alias)-(\\d+-\\d+-\\d+-\\d+)[.]/.exec(name) ?? [];
  const data = digits === undefined ? '192.0.2.77' : digits.replaceAll('-', '.');
  const target = 'other.' + name;
  return kind === 'alias'
    ? [{ type: 'CNAME', name, ttl: 60, data: target }, { type, name: target, ttl: 60, data }]
    : [{ type, name, ttl: 60, data }];
};
// One socket an address, so that the answer comes from the address that was asked.
for (const address of process.argv.slice(1)) {
  const names = dgram.createSocket('udp4').bind(53, address);
  names.on('message', (query, peer) => {
    const { id, questions } = decode(query);
    // 0x180: recursion was asked for, and is available.
    const reply = { type: 'response', id, flags: 0x180, questions, answers: answers(questions[0]) };
    names.send(encode(reply), peer.port, peer.address);
  });
}
for (const port of [${[...MAIL_PORTS, 8080].join()}])
  http.createServer((_, response) => response.end('outside')).listen(port, '0.0.0.0');
`;

const NUMBERS = 63;

/** Addresses are made of it, four of a network; no other process on this host has it meanwhile. */
export async function ownNumber(of: string): Promise<{ readonly n: number; readonly mark: AsyncDisposable }> {
  return eventually(async () => {
    const n = randomInt(0, NUMBERS);
    const mark = await takeMark(`${of}-${n}`);
    if (mark === undefined) throw new Error(`the ${of} ${n} is another test's`);
    return { n, mark };
  });
}

export async function outsideNetwork(): Promise<OutsideNetwork> {
  const { n, mark } = await ownNumber('outside-network');
  const name = `tinout${n}-${randomInt(0, 0xffff).toString(16)}`;
  const [hostAddress, address, privateAddress] = [`203.0.113.${4 * n + 1}`, `203.0.113.${4 * n + 2}`, `10.222.${n}.77`];
  const link = name.slice(0, 15);
  let server: ChildServer | undefined;
  const dispose = async (): Promise<void> => {
    await server?.stop();
    await ip('netns', 'del', name).catch(() => undefined);
    await ip('link', 'del', link).catch(() => undefined);
    await mark[Symbol.asyncDispose]();
  };
  try {
    await ip('netns', 'add', name);
    await ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'up', 'netns', name);
    await ip('address', 'add', `${hostAddress}/30`, 'dev', link);
    await ip('link', 'set', link, 'up');
    await ip('-n', name, 'address', 'add', `${address}/30`, 'dev', 'up');
    await ip('-n', name, 'address', 'add', `${privateAddress}/32`, 'dev', 'up');
    await ip('-n', name, 'link', 'set', 'dev', 'up', 'up');
    await ip('-n', name, 'route', 'add', 'default', 'via', hostAddress);
    await ip('route', 'add', `${privateAddress}/32`, 'via', address);
    server = await ChildServer.start({
      name: 'the outside',
      command: 'ip',
      args: ['netns', 'exec', name, process.execPath, '-e', SERVERS, address, privateAddress],
      isUp: async () => (await fetch(`http://${address}:8080/`)).ok,
    });
  } catch (error) {
    await dispose();
    throw error;
  }
  const reaches = async (to: string, port: number): Promise<boolean> =>
    run('ip', ['netns', 'exec', name, ...openPage(to, port)]).then(
      () => true,
      () => false,
    );
  return {
    address,
    privateAddress,
    hostAddress,
    webPort: 8080,
    mailPorts: MAIL_PORTS,
    reaches,
    [Symbol.asyncDispose]: dispose,
  };
}
