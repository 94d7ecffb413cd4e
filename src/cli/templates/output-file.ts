import { writeFileSync } from 'node:fs';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { whyNotNew } from '../writable-file.ts';

/**
 * Before the work whose template is to be written there. Never over a file that is there: it may hold a person's own
 * changes. Throws invalid_request.
 */
export function requireNewFile(file: string | undefined): void {
  const obstacle = file === undefined ? undefined : whyNotNew(file);
  if (obstacle !== undefined) throw new TryItNowError('invalid_request', obstacle);
}

/** Prints it where no file is named, or where that fails: it may have taken minutes. Throws invalid_request. */
export function writeTemplateFile(text: string, file: string | undefined): void {
  if (file === undefined) {
    process.stdout.write(text);
    return;
  }
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    process.stdout.write(text);
    const taken = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const why = taken ? `${file} is there already` : `${file} cannot be written: ${describeError(error)}`;
    throw new TryItNowError('invalid_request', `${why}; the template is printed instead`);
  }
  console.log(`Written to ${file}. Next: TEMPLATES_FILE=${file} make up`);
}
