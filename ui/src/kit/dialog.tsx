import type { ReactNode } from 'react';
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from 'react-aria-components';

/** A dialog; with the hatch on its edge only where a signature or a payment is about to happen. */
export function Dialog(props: {
  title: string;
  open: boolean;
  onClose: () => void;
  hazard?: boolean;
  wide?: boolean;
  /** While work runs, Escape and clicks outside do not close it. */
  busy?: boolean;
  alert?: boolean;
  children: ReactNode;
}) {
  return (
    <ModalOverlay
      isOpen={props.open}
      onOpenChange={(open) => {
        if (!open && !props.busy) props.onClose();
      }}
      isKeyboardDismissDisabled={props.busy ?? false}
      isDismissable={!props.busy && !props.hazard}
      className="appear fixed inset-0 z-40 flex items-start justify-center overflow-auto bg-scrim p-4 pt-[10vh] [@media(max-height:44rem)]:pt-4"
    >
      <Modal
        className={`w-full ${props.wide ? 'max-w-3xl' : 'max-w-lg'} overflow-hidden rounded-dialog border border-ink bg-surface shadow-float`}
      >
        {props.hazard ? <div className="hatch h-2" aria-hidden="true" /> : null}
        <AriaDialog
          role={props.alert ? 'alertdialog' : 'dialog'}
          className="flex flex-col gap-3 p-5 outline-none"
        >
          <Heading slot="title" level={2} className="text-window font-semibold">
            {props.title}
          </Heading>
          {props.children}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

/** The foot of a dialog: what the keys do, then the safe choice, then the act. */
export function DialogFoot(props: { note?: ReactNode; children: ReactNode }) {
  return (
    <div className="mt-2 grid grid-cols-[minmax(0,1fr)_auto] items-start gap-4">
      <p className="max-w-44 text-small text-ink3">{props.note}</p>
      <div className="flex flex-wrap items-start justify-end gap-2 text-right">
        {props.children}
      </div>
    </div>
  );
}
