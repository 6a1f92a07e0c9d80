// Text files: as chips that can be taken away before they are sent, and that open afterwards.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { showSize, sizeOf } from '../core/files.ts';
import type { TextFile } from '../core/types.ts';
import { Icon, IconButton } from './controls.tsx';

export function Chips({ files, remove }: { files: readonly TextFile[]; remove: (file: TextFile) => void }): JSX.Element | null {
  if (files.length === 0) return null;
  return (
    <ul class="files" aria-label="Attached files">
      {files.map((file) => (
        <li class="file"><Label file={file} /><IconButton icon="close" label={`Remove “${file.name}”`} onClick={() => remove(file)} /></li>
      ))}
    </ul>
  );
}

export function SentFiles({ files }: { files: readonly TextFile[] }): JSX.Element {
  return <div class="files">{files.map((file) => <SentFile file={file} />)}</div>;
}

function SentFile({ file }: { file: TextFile }): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <details class="file" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary><Label file={file} /><Icon name="chevron" /></summary>
      {open && <pre tabIndex={0} aria-label={file.name}>{file.text}</pre>}
    </details>
  );
}

function Label({ file }: { file: TextFile }): JSX.Element {
  return <><Icon name="file" /><span class="file-name" title={file.name}>{file.name}</span><span class="file-size">{showSize(sizeOf(file))}</span></>;
}

// Files that are dropped anywhere on the page; true while they are held over it. The browser would leave the page for them.
export function useDrop(take: (files: File[]) => void): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const hold = (event: DragEvent): void => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      setOver(event.type === 'dragover');
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent): void => {
      hold(event);
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length > 0 && !document.querySelector('dialog[open]')) take(files);
    };
    document.addEventListener('dragover', hold);
    document.addEventListener('dragleave', leave);
    document.addEventListener('drop', drop);
    return () => {
      document.removeEventListener('dragover', hold);
      document.removeEventListener('dragleave', leave);
      document.removeEventListener('drop', drop);
    };
  });
  return over;
}
