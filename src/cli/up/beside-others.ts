import type { Environment } from '../../config/environment.ts';
import { VARIABLES } from '../../config/variables.ts';
import { takeMark } from '../../launcher/host-marks.ts';
import { preferPort } from '../../launcher/tcp-ports.ts';
import { isSet } from './example.ts';

export interface Place {
  readonly env: Environment;
  /** What was moved aside, for people. */
  readonly notes: readonly string[];
  /** What was chosen and is taken, for people. */
  readonly conflicts: readonly string[];
}

/**
 * Another `up` may run on this host: what was not chosen is moved aside, port by port, and so is the deployment's name,
 * by which each takes away its own containers in the end. The name is held until this process ends.
 */
export async function besideOthers(env: Environment): Promise<Place> {
  const notes: string[] = [];
  const moved: Record<string, string> = {};
  const port = async (name: 'SERVER_PORT' | 'PROXY_LISTEN', what: string): Promise<void> => {
    if (isSet(env[name])) return;
    const usual = Number(VARIABLES[name].default.replace(':', ''));
    const found = await preferPort(usual);
    if (found === usual) return;
    moved[name] = name === 'PROXY_LISTEN' ? `:${found}` : String(found);
    notes.push(`Port ${usual} is in use, perhaps by another \`make up\`: ${what} is on ${found} (${name} chooses).`);
  };
  await port('SERVER_PORT', 'the start page');
  await port('PROXY_LISTEN', 'the proxy');

  const chosen = env['DEPLOYMENT']?.trim();
  if (isSet(chosen)) {
    if ((await hold(chosen)) !== undefined) return { env: { ...env, ...moved }, notes, conflicts: [] };
    const conflict =
      `The deployment ${chosen} is run by another \`make up\` on this host already, which would remove this one's ` +
      'containers; end that one, or set DEPLOYMENT to another name.';
    return { env: { ...env, ...moved }, notes, conflicts: [conflict] };
  }
  const usual = VARIABLES.DEPLOYMENT.default;
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? usual : `${usual}-${number}`;
    if ((await hold(name)) === undefined) continue;
    if (number === 1) return { env: { ...env, ...moved }, notes, conflicts: [] };
    notes.push(`Another \`make up\` runs the deployment ${usual} on this host, so this one is called ${name}.`);
    return { env: { ...env, ...moved, DEPLOYMENT: name }, notes, conflicts: [] };
  }
}

function hold(deployment: string): ReturnType<typeof takeMark> {
  return takeMark(`up-${deployment}`);
}
