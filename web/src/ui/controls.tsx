// Icons and buttons.
import type { ComponentChildren, JSX } from 'preact';
import type { Action } from '../core/shortcuts.ts';

export function Icon({ name }: { name: string }): JSX.Element {
  return <svg class={`icon icon-${name}`} aria-hidden="true"><use href={`#i-${name}`} /></svg>;
}

interface IconButtonProps {
  icon: string;
  label: string;  // what it does: its tooltip and its name for screen readers
  onClick: () => void;
  keys?: string;
  class?: string;
  pressed?: boolean;
  disabled?: boolean;
  action?: Action;  // the shortcut on a message that presses it
}

export function IconButton(props: IconButtonProps): JSX.Element {
  return (
    <button type="button" data-action={props.action} class={`icon-button ${props.class ?? ''}`} aria-label={props.label}
            title={props.keys ? `${props.label} (${props.keys})` : props.label}
            aria-pressed={props.pressed} disabled={props.disabled} onClick={props.onClick}>
      <Icon name={props.icon} />
    </button>
  );
}

export function Keys({ keys }: { keys: readonly string[] }): JSX.Element {
  return <span class="keys">{keys.map((key) => <kbd>{key}</kbd>)}</span>;
}

export function Field({ label, hint, children }: { label: string; hint?: string; children: ComponentChildren }): JSX.Element {
  return (
    <label class="field">
      <span class="field-label">{label}</span>
      {children}
      {hint && <span class="field-hint">{hint}</span>}
    </label>
  );
}
