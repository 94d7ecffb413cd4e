import { EXIT_CONFIG } from '../config/exit-config.ts';
import { TryItNowError, describeError, type ErrorCode } from '../domain/errors.ts';

const WRONG_SETTINGS: readonly ErrorCode[] = ['invalid_config', 'invalid_templates'];

/**
 * Runs a command; what it throws ends the process with one message a person can act on, and an exit code a script can.
 */
export async function runCommand(command: () => Promise<void>): Promise<void> {
  try {
    await command();
  } catch (error) {
    if (error instanceof TryItNowError) {
      console.error(error.message);
      process.exitCode = WRONG_SETTINGS.includes(error.code) ? EXIT_CONFIG : 1;
    } else {
      console.error(error instanceof Error && error.stack !== undefined ? error.stack : describeError(error));
      process.exitCode = 1;
    }
  }
}
