import { describe, expect, it } from 'vitest';
import {
  addDecimals,
  compareDecimals,
  cutFraction,
  differingDigits,
  fractionGroups,
  inWords,
  isZero,
  padFraction,
  parseDecimal,
  permille,
  wholeGroups,
  widestFraction,
} from './decimal';

describe('parseDecimal', () => {
  it('takes a decimal apart', () => {
    expect(parseDecimal('-0012.340')).toEqual({ negative: true, whole: '12', fraction: '340' });
    expect(parseDecimal('0')).toEqual({ negative: false, whole: '0', fraction: '' });
  });
  it('knows no negative nothing', () => {
    expect(parseDecimal('-0.00')?.negative).toBe(false);
  });
  it.each(['', '1,000', '1e9', '.5', '5.', '+1', ' 1', '0x1', 'NaN'])('refuses %j', (text) => {
    expect(parseDecimal(text)).toBeNull();
  });
});

describe('digits', () => {
  it('groups the whole part from the right', () => {
    expect(wholeGroups('1204118')).toEqual(['1', '204', '118']);
    expect(wholeGroups('118')).toEqual(['118']);
    expect(wholeGroups('0')).toEqual(['0']);
  });
  it('groups the fraction from the point', () => {
    expect(fractionGroups('63946141148')).toEqual(['639', '461', '411', '48']);
    expect(fractionGroups('')).toEqual([]);
  });
  it('pads to the least and keeps every significant digit', () => {
    expect(padFraction('5', 6)).toBe('500000');
    expect(padFraction('000000003357056306', 6)).toBe('000000003357056306');
    expect(padFraction('1000', 2)).toBe('10');
  });
  it('cuts and never rounds', () => {
    expect(cutFraction('99999', 4)).toEqual({ kept: '9999', cut: true });
    expect(cutFraction('25000', 2)).toEqual({ kept: '25', cut: false });
    expect(cutFraction('5', 4)).toEqual({ kept: '5000', cut: false });
  });
  it('finds the widest fraction of a column', () => {
    expect(
      widestFraction([
        { amount: '152775.63946141148', decimals: 18 },
        { amount: '0.000000003357056306', decimals: 18 },
        { amount: '1', decimals: 6 },
      ]),
    ).toBe(18);
    expect(widestFraction([{ amount: '7', decimals: 0 }])).toBe(0);
  });
});

describe('exact arithmetic', () => {
  it('adds beyond what a number holds', () => {
    expect(addDecimals('98000000.000000000000000001', '0.000000000000000009')).toBe(
      '98000000.00000000000000001',
    );
    expect(addDecimals('99999999999999999999999999999999999999', '1')).toBe(
      '100000000000000000000000000000000000000',
    );
    expect(addDecimals('1.5', '-2.25')).toBe('-0.75');
    expect(addDecimals('-1', '1')).toBe('0');
  });
  it('orders by value, not by text', () => {
    expect(compareDecimals('10', '9')).toBe(1);
    expect(compareDecimals('0.10', '0.1')).toBe(0);
    expect(compareDecimals('-3', '0.000000000000000001')).toBe(-1);
  });
  it('refuses what is no decimal', () => {
    expect(() => addDecimals('1', 'one')).toThrow('one');
  });
  it('gives shares only for bars', () => {
    expect(permille('1', '3')).toBe(333);
    expect(permille('5', '0')).toBe(0);
    expect(permille('7', '3')).toBe(1000);
  });
});

describe('in words', () => {
  it('groups and pads', () => {
    expect(inWords('442786.4239935922618', 18)).toBe('442,786.4239935922618');
    expect(inWords('-36', 6)).toBe('−36.000000');
    expect(inWords('7', 0)).toBe('7');
  });
  it('knows nothing when it is nothing', () => {
    expect(isZero('0.000')).toBe(true);
    expect(isZero('-0')).toBe(true);
    expect(isZero('0.001')).toBe(false);
  });
});

describe('differingDigits', () => {
  it('marks swapped digits on both sides', () => {
    const { left, right } = differingDigits('18240.5', '18204.5');
    expect([...left]).toEqual([3, 4]);
    expect([...right]).toEqual([3, 4]);
  });
  it('marks digits that only one side has', () => {
    const { left, right } = differingDigits('1000', '100');
    expect([...left]).toEqual([0, 1]);
    expect([...right]).toEqual([0]);
  });
});
