import { findProgram, run } from './programs.ts';

/** How long to wait for another program that holds the tables, in s. */
const LOCK_WAIT_S = '10';
/**
 * The label that all questions for the name of an address have. Sought by an algorithm that finds it in a datagram that
 * the kernel keeps in pieces, too, which `bm` does not.
 */
const ASKS_FOR_NAME = '-m string --algo kmp --icase --hex-string "|07|in-addr"';

/**
 * Has the name service that an engine runs in the network of a container answer nothing there, or names alone: asked
 * who has an address, it tells which neighbours there are. By TCP it answers nothing, since a question in segments
 * cannot be recognised. `network`: the file of the container's network namespace, whose rules end with it.
 */
export async function hideNeighbourNames(network: string, service: string, looksNamesUp: boolean): Promise<void> {
  const [enter, restore] = [findProgram('nsenter'), findProgram('iptables-restore')];
  if (enter === undefined || restore === undefined) throw new Error('nsenter or iptables is not installed');
  const rules = [
    '*filter',
    `-A OUTPUT -d ${service} -p tcp -j REJECT --reject-with tcp-reset`,
    `-A OUTPUT -d ${service} -p udp ${looksNamesUp ? ASKS_FOR_NAME : ''} -j REJECT`,
    'COMMIT',
    '',
  ];
  await run(enter, [`--net=${network}`, restore, '-w', LOCK_WAIT_S, '--noflush'], rules.join('\n'));
}
