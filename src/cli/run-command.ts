import { EXIT_CONFIG } from '../config/load.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';

/**
 * Runs a command; what it throws ends the process with one message a person can act on, and an exit code a script can.
 */
export async function runCommand(command: () => Promise<void>): Promise<void> {
  try {
    await command();
  } catch (error) {
    if (error instanceof TryItNowError) {
      console.error(error.message);
      process.exitCode = error.code === 'invalid_config' ? EXIT_CONFIG : 1;
    } else {
      console.error(error instanceof Error && error.stack !== undefined ? error.stack : describeError(error));
      process.exitCode = 1;
    }
  }
}
