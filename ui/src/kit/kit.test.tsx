import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { reasonOf } from '../test/open';
import { Address, addressGroups, differingGroups } from './address';
import { Amount } from './amount';
import { Button } from './button';
import { plainText } from './copy';
import { deviceLines } from './hash';
import { Status, StatusIcon, kindShape, levelShape, stateLook } from './status';
import { countText, dateTime, span, zoneName } from './time';

describe('Amount', () => {
  it('draws separators and keeps the exact number as text', () => {
    const { container } = render(<Amount value="152775.63946141148" decimals={18} slot={18} />);
    expect(container.textContent).toBe('152775.63946141148');
  });
  it('cuts on overviews but copies the exact number', () => {
    const { container } = render(<Amount value="442786.4239935922618" decimals={18} cut={4} />);
    expect(container.textContent).toBe('442786.4239');
    expect(container.querySelector('.amt-cut')).not.toBeNull();
    expect(plainText(container)).toBe('442786.4239935922618');
  });
  it('shows a text that is no amount as it came', () => {
    render(<Amount value="1e9" decimals={18} />);
    expect(screen.getByText('1e9')).toBeTruthy();
  });
  it('copies a row as cells', () => {
    const { container } = render(
      <table>
        <tbody>
          <tr>
            <td>Line 1</td>
            <td>
              <Amount value="-120.5" decimals={6} signed />
            </td>
          </tr>
        </tbody>
      </table>,
    );
    expect(plainText(container)).toBe('Line 1\t-120.5');
  });
});

describe('Address', () => {
  const one = '0x7A0A8890D71A4834285efDc1D18bb3828e765C6A';
  const two = '0x7A0A8890D71A48E4285efDc1918bb3828e765C6A';
  it('is one word in ten groups', () => {
    const { container } = render(<Address address={one} />);
    expect(container.textContent).toBe(one);
    expect(container.querySelectorAll('.addr-g')).toHaveLength(10);
  });
  it('names the groups in which a look-alike differs', () => {
    expect(differingGroups(one, two)).toEqual([4, 7]);
  });
  it('knows what is no address', () => {
    expect(addressGroups('0x12')).toBeNull();
    expect(addressGroups(`${one}0`)).toBeNull();
  });
});

describe('deviceLines', () => {
  // Lines as the Ethereum app 1.22.0 broke them on a Nano S Plus.
  it.each([
    ['0XC03D57206AEB95B', 'B2816E44CEC2AEAFF', '23AB39C410E548F01', 'CE7FE7B6AA697EC'],
    ['0X3EDAB9800D7D902', 'DB28580E1D6F031182', 'BDF08E5F841DF1132', 'B38B0FFF4B1EE8'],
    ['0X949B8C3F87DB8C3', 'FAE827ABB7CB71A60', 'FB9D65D807BEC2A75', '67B747E8119E744'],
  ])('breaks as the device does: %s', (...lines) => {
    const hash = lines.join('').toLowerCase();
    expect(deviceLines(hash).map((line) => line.toUpperCase())).toEqual(lines);
  });
});

describe('status', () => {
  it('has a shape and a word for each state of the table', () => {
    expect(stateLook('PENDING_APPROVAL')).toEqual({ shape: 'pending', word: 'Pending approval' });
    expect(stateLook('EXECUTED').shape).toBe('executed');
    expect(stateLook('CANCELLED').shape).toBe('rejected');
  });
  it('shows a state that it does not know as it came', () => {
    expect(stateLook('SOMETHING_NEW')).toEqual({ shape: 'unknown', word: 'SOMETHING_NEW' });
  });
  it('shows the word beside the shape', () => {
    const { container } = render(<Status shape="failed">Failed</Status>);
    expect(screen.getByText('Failed')).toBeTruthy();
    expect(container.querySelector('svg')?.getAttribute('aria-hidden')).toBe('true');
  });
  it('draws every level and kind', () => {
    expect(levelShape('BLOCK')).toBe('failed');
    expect(kindShape('amount_mismatch')).toBe('differs');
    expect(kindShape('missing_on_chain')).toBe('missing');
    expect(kindShape('nobody_knows')).toBe('check');
    const { container } = render(<StatusIcon shape="incident" />);
    expect(container.querySelector('[data-shape="incident"]')).not.toBeNull();
  });
});

describe('Button', () => {
  it('acts when it is on', async () => {
    const act = vi.fn();
    render(<Button onPress={act}>Send</Button>);
    await userEvent.click(screen.getByRole('button', { name: 'Send' }));
    expect(act).toHaveBeenCalledOnce();
  });
  it('says why it is off, stays reachable, and does nothing', async () => {
    const act = vi.fn();
    render(
      <Button onPress={act} off="Needs 1 more signature">
        Send
      </Button>,
    );
    const send = screen.getByRole('button', { name: 'Send' });
    await userEvent.tab();
    expect(document.activeElement).toBe(send);
    await userEvent.keyboard('{Enter}');
    await userEvent.click(send);
    expect(act).not.toHaveBeenCalled();
    expect(send.getAttribute('aria-disabled')).toBe('true');
    expect(reasonOf(send)).toContain('Needs 1 more signature');
  });
});

describe('time', () => {
  it('stands in the zone of the program, which is named', () => {
    expect(dateTime('2026-11-17T15:42:08Z', 'Europe/Berlin')).toBe('17 Nov 2026, 16:42');
    expect(zoneName('2026-11-17T15:42:08Z', 'UTC')).toBe('UTC');
  });
  it('shows a text that is no time as it came', () => {
    expect(dateTime('soon')).toBe('soon');
  });
  it('counts spans in two units', () => {
    expect(span(-5)).toBe('0 s');
    expect(span(78 * 60_000)).toBe('1 h 18 min');
    expect(countText('21847332')).toBe('21,847,332');
  });
});
