import { writeFileSync } from 'node:fs';
import { TryItNowError, describeError } from '../../domain/errors.ts';

/** Never over a file that is there: it may hold a person's own changes. Throws invalid_request. */
export function writeTemplateFile(text: string, file: string | undefined): void {
  if (file === undefined) {
    process.stdout.write(text);
    return;
  }
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw new TryItNowError(
      'invalid_request',
      taken ? `${file} is there already; name a new file` : `${file} cannot be written: ${describeError(error)}`,
    );
  }
  console.log(`Written to ${file}. Next: TEMPLATES_FILE=${file} make up`);
}
