// Text files that go with a message: read strictly, and sent as text with their names.
//
//   const file = decodeFile('notes.txt', bytes);          // or a FileError that names the file
//   const text = withFiles('What is in it?', [file]);     // what the model reads
import type { TextFile } from './types.ts';

export const MAX_FILES = 10;
export const MAX_FILE_BYTES = 1024 * 1024;
export const MAX_MESSAGE_BYTES = 2 * 1024 * 1024;  // of all files of a message
const MAX_NAME = 120;

export class FileError extends Error {}

export function decodeFile(name: string, bytes: Uint8Array): TextFile {
  const shown = cleanName(name);
  if (bytes.length > MAX_FILE_BYTES) throw new FileError(`“${shown}” is larger than ${showSize(MAX_FILE_BYTES)}.`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new FileError(`“${shown}” is no text in UTF-8, and the model reads nothing else.`);
  }
  if (text.includes('\0')) throw new FileError(`“${shown}” is no text: it holds zero bytes.`);
  if (text.trim() === '') throw new FileError(`“${shown}” is empty.`);
  return { name: shown, text };
}

// Those already there and the new ones, or a FileError.
export function joinFiles(here: readonly TextFile[], added: readonly TextFile[]): readonly TextFile[] {
  const files = [...here, ...added];
  if (files.length > MAX_FILES) throw new FileError(`A message takes ${MAX_FILES} files.`);
  if (files.reduce((sum, file) => sum + sizeOf(file), 0) > MAX_MESSAGE_BYTES) {
    throw new FileError(`The files of a message may have ${showSize(MAX_MESSAGE_BYTES)} together.`);
  }
  return files;
}

// Each file stands in a fence that is longer than any inside of it, below its name.
export function withFiles(content: string, files: readonly TextFile[] = []): string {
  const parts = files.map(({ name, text }) => {
    const fence = '`'.repeat(Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length)) + 1);
    return `File “${name}”:\n${fence}\n${text.endsWith('\n') ? text : `${text}\n`}${fence}`;
  });
  return [...parts, content].filter((part) => part !== '').join('\n\n');
}

export function sizeOf(file: TextFile): number {
  return new TextEncoder().encode(file.text).length;
}

export function showSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KiB` : `${+(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

// One line without marks that turn text around, so that a name shows as what it is.
function cleanName(name: string): string {
  const line = name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}“”]/gu, ' ').replace(/\s+/g, ' ').trim() || 'file';
  const characters = [...line];
  return characters.length <= MAX_NAME ? line : `${characters.slice(0, MAX_NAME).join('')}…`;
}
