#!/usr/bin/env node
// Asks the npm registry whether a package that the program needs when it runs has a known weakness. Exit code 1 for
// high and critical ones. A registry that cannot say (a mirror, no network) is named and is no failure: it says nothing
// about the packages.
import { execFile } from 'node:child_process';

const SERIOUS = ['high', 'critical'];

/**
 * npm's report, which it writes with an exit code other than 0 as well: `{vulnerabilities: {name: {severity, range,
 * fixAvailable}}}` or `{message}`.
 */
function ask() {
  return new Promise((resolve) => {
    execFile(
      'npm',
      ['audit', '--omit=dev', '--json'],
      { timeout: 60_000, maxBuffer: 16 * 1024 * 1024 },
      (error, output) => {
        try {
          resolve(JSON.parse(output));
        } catch {
          resolve({ message: error?.killed ? 'no answer within 60 s' : 'npm audit wrote no report' });
        }
      },
    );
  });
}

const { vulnerabilities, message, error } = await ask();
if (vulnerabilities === undefined) {
  console.log(
    `Dependency audit left out: the registry does not answer it (${message ?? error?.summary ?? 'no reason given'})`,
  );
} else {
  const found = Object.values(vulnerabilities).filter(({ severity }) => SERIOUS.includes(severity));
  for (const { name, severity, range, fixAvailable } of found)
    console.error(
      `${severity}: ${name} ${range}; ${fixAvailable ? 'npm audit fix repairs it' : 'no fix is known yet'}`,
    );
  const none = 'nothing high or critical is known';
  const verdict = found.length === 0 ? none : `${found.length} packages with high or critical weaknesses`;
  console.log(`Dependency audit: ${verdict}`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
