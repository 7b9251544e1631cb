import { X509Certificate } from 'node:crypto';
import { generate } from 'selfsigned';
import { describe, expect, it } from 'vitest';
import { hasTlsClientName } from '../../../../src/issuer/clients/tls-client-name.ts';
import type { TlsClientName } from '../../../../src/issuer/index.ts';
import { attribute, BMP, certificateWith, type DerBytes, der, PRINTABLE, UTF8 } from './der-writer.ts';

const C = 6;
const O = 10;
const OU = 11;
const CN = 3;

/** C=DE, O=Shop, CN=billing: in the order of the certificate. */
const usual = [[attribute(C, 'DE', PRINTABLE)], [attribute(O, 'Shop')], [attribute(CN, 'billing')]];
const named = (...names: readonly DerBytes[]): DerBytes => certificateWith(usual, names);
const email = (text: string): DerBytes => der(0x81, text);
const dns = (text: string): DerBytes => der(0x82, text);
const uri = (text: string): DerBytes => der(0x86, text);
const address = (...bytes: readonly number[]): DerBytes => der(0x87, Uint8Array.from(bytes));

describe('a subject (RFC 4514)', () => {
  it.each<[string, string, DerBytes]>([
    ['as registered', 'CN=billing,O=Shop,C=DE', certificateWith(usual)],
    ['with types in other letters', 'cn=billing,o=Shop,c=DE', certificateWith(usual)],
    ['with types as numbers', '2.5.4.3=billing,2.5.4.10=Shop,2.5.4.6=DE', certificateWith(usual)],
    ['with spaces around', ' CN = billing , O=Shop,  C=DE ', certificateWith(usual)],
    ['in another kind of string', 'CN=billing', certificateWith([[attribute(CN, 'billing', PRINTABLE)]])],
    ['in UTF-16', 'CN=bi', certificateWith([[{ type: CN, value: der(BMP, '\0b\0i') }]])],
    [
      'with several attributes of one part, in one order',
      'OU=Shop+CN=billing,C=DE',
      certificateWith([[attribute(C, 'DE')], [attribute(OU, 'Shop'), attribute(CN, 'billing')]]),
    ],
    [
      'and in the other',
      'CN=billing+OU=Shop,C=DE',
      certificateWith([[attribute(C, 'DE')], [attribute(OU, 'Shop'), attribute(CN, 'billing')]]),
    ],
    ['with a comma', 'O=Sue\\, Grabbit and Runn', certificateWith([[attribute(O, 'Sue, Grabbit and Runn')]])],
    ['with a plus', 'O=a\\+CN\\=b', certificateWith([[attribute(O, 'a+CN=b')]])],
    ['with an equals sign as it is', 'O=a=b', certificateWith([[attribute(O, 'a=b')]])],
    [
      'with quotes',
      'O=James \\"Jim\\" Smith\\, III',
      certificateWith([[attribute(O, 'James "Jim" Smith, III')]]),
    ],
    ['with a line break', 'O=Before\\0dAfter', certificateWith([[attribute(O, 'Before\rAfter')]])],
    ['with letters as bytes', 'O=Lu\\C4\\8Di\\C4\\87', certificateWith([[attribute(O, 'Lučić')]])],
    ['with letters as they are', 'O=Lučić 🦉', certificateWith([[attribute(O, 'Lučić 🦉')]])],
    [
      'with spaces at its ends',
      'O=\\ a\\ ,C=DE',
      certificateWith([[attribute(C, 'DE')], [attribute(O, ' a ')]]),
    ],
    ['with a hash in front', 'O=\\#a', certificateWith([[attribute(O, '#a')]])],
    ['by its bytes', 'O=#0c0141', certificateWith([[attribute(O, 'A')]])],
    ['that is no text, by its bytes', 'O=#020105', certificateWith([[{ type: O, value: der(2, '\x05') }]])],
  ])('%s: %s', (_, subjectDn, certificate) => {
    expect(hasTlsClientName(certificate, { subjectDn })).toBe(true);
  });

  it.each<[string, string, DerBytes]>([
    ['in the order of the certificate', 'C=DE,O=Shop,CN=billing', certificateWith(usual)],
    ['with one part less', 'CN=billing,O=Shop', certificateWith(usual)],
    ['with one part more', 'CN=billing,OU=x,O=Shop,C=DE', certificateWith(usual)],
    ['with values in other letters', 'CN=Billing,O=Shop,C=DE', certificateWith(usual)],
    ['with parts joined', 'CN=billing+O=Shop,C=DE', certificateWith(usual)],
    ['of a type nobody knows', 'XN=billing', certificateWith([[attribute(CN, 'billing')]])],
    ['that is empty', '', certificateWith([])],
    ['without a value', 'CN', certificateWith(usual)],
    ['with a comma at its end', 'CN=billing,', certificateWith([[attribute(CN, 'billing')]])],
    ['in quotes, as older texts have them', 'CN="billing"', certificateWith([[attribute(CN, 'billing')]])],
    ['with broken escapes', 'CN=billing\\', certificateWith([[attribute(CN, 'billing')]])],
    ['with broken bytes', 'CN=\\ff', certificateWith([[attribute(CN, '\uFFFD')]])],
    ['with odd digits', 'CN=#0c014', certificateWith([[attribute(CN, 'A')]])],
    ['whose text looks like bytes', 'CN=#020105', certificateWith([[attribute(CN, '#020105')]])],
    ['whose bytes look like text', 'CN=\\#020105', certificateWith([[{ type: CN, value: der(2, '\x05') }]])],
    [
      'that holds another in its text',
      'CN=billing,O=Shop',
      certificateWith([[attribute(CN, 'billing,O=Shop')]]),
    ],
    [
      'that hides another behind a line break',
      'CN=billing',
      certificateWith([[attribute(CN, 'x\nCN=billing')]]),
    ],
    ['with a NUL after it', 'CN=billing', certificateWith([[attribute(CN, 'billing\0.evil.example')]])],
    [
      'with broken UTF-8',
      'CN=\uFFFD',
      certificateWith([[{ type: CN, value: der(UTF8, Uint8Array.of(0xff)) }]]),
    ],
  ])('is not the one %s: %s', (_, subjectDn, certificate) => {
    expect(hasTlsClientName(certificate, { subjectDn })).toBe(false);
  });
});

describe('an alternative name', () => {
  it.each<[TlsClientName, DerBytes]>([
    [{ sanDns: 'billing.example' }, dns('billing.example')],
    [{ sanDns: 'Billing.Example' }, dns('billing.EXAMPLE')],
    [{ sanUri: 'spiffe://shop.example/billing' }, uri('spiffe://shop.example/billing')],
    [{ sanIp: '10.0.0.1' }, address(10, 0, 0, 1)],
    [{ sanIp: '::1' }, address(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)],
    [{ sanIp: '2001:DB8:0::5' }, address(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5)],
    [{ sanEmail: 'billing@shop.example' }, email('billing@SHOP.example')],
  ])('%o is found among others', (expected, name) => {
    const others = [dns('a.example'), uri('https://a.example'), email('a@a.example'), address(1, 2, 3, 4)];
    expect(hasTlsClientName(named(...others, name), expected)).toBe(true);
    expect(hasTlsClientName(named(...others), expected)).toBe(false);
  });

  it.each<[string, TlsClientName, DerBytes]>([
    ['of another kind', { sanDns: 'billing.example' }, uri('billing.example')],
    ['of a kind that is not read', { sanDns: 'billing.example' }, der(0x88, 'billing.example')],
    ['that is a wildcard', { sanDns: 'billing.example' }, dns('*.example')],
    ['above it', { sanDns: 'billing.example' }, dns('example')],
    ['with a NUL in it', { sanDns: 'billing.example' }, dns('billing.example\0.evil.example')],
    ['with a dot at its end', { sanDns: 'billing.example' }, dns('billing.example.')],
    ['that looks like two', { sanDns: 'billing.example' }, dns('evil.example, DNS:billing.example')],
    ['that looks like another kind', { sanUri: 'spiffe://a/b' }, dns('x, URI:spiffe://a/b')],
    ['with quotes', { sanUri: 'spiffe://a/b' }, uri('x", URI:"spiffe://a/b')],
    ['in other letters', { sanUri: 'spiffe://a/b' }, uri('spiffe://a/B')],
    ['that only ends so', { sanEmail: 'a@b.example' }, email('x@a@b.example')],
    ['of a mailbox in other letters', { sanEmail: 'a@b.example' }, email('A@b.example')],
    ['that is an address as text', { sanDns: '10.0.0.1' }, address(10, 0, 0, 1)],
    ['that is an address and a mask', { sanIp: '10.0.0.1' }, address(10, 0, 0, 1, 255, 255, 255, 255)],
    ['in IPv6 clothes', { sanIp: '10.0.0.1' }, address(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1)],
    ['where the registered one is no address', { sanIp: '10.0.0.01' }, address(10, 0, 0, 1)],
  ])('%s is not it', (_, expected, name) => {
    expect(hasTlsClientName(named(name), expected)).toBe(false);
  });

  it('stands in the one extension for it; of two none counts', () => {
    const expected = { sanDns: 'billing.example' };
    const once = [dns('billing.example')];
    expect(hasTlsClientName(certificateWith(usual, once), expected)).toBe(true);
    expect(hasTlsClientName(certificateWith(usual, once, once), expected)).toBe(false);
    expect(hasTlsClientName(certificateWith(usual), expected)).toBe(false);
  });
});

describe('hasTlsClientName', () => {
  it('asks for each name that is registered, and for one at least', () => {
    const certificate = named(dns('billing.example'));
    const subjectDn = 'CN=billing,O=Shop,C=DE';
    expect(hasTlsClientName(certificate, {})).toBe(false);
    expect(hasTlsClientName(certificate, { subjectDn: undefined })).toBe(false);
    expect(hasTlsClientName(certificate, { subjectDn, sanDns: 'billing.example' })).toBe(true);
    expect(hasTlsClientName(certificate, { subjectDn, sanDns: 'other.example' })).toBe(false);
  });

  it('finds nothing in what is no certificate, wherever it is cut', () => {
    const whole = named(dns('billing.example'));
    const expected = { sanDns: 'billing.example' };
    for (let length = 0; length < whole.length - 10; length++) {
      expect(hasTlsClientName(whole.subarray(0, length), expected)).toBe(false);
    }
    for (const blob of [
      Buffer.alloc(200),
      Buffer.alloc(200, 0x30),
      Buffer.alloc(200, 0xff),
      Buffer.from('x'),
    ]) {
      expect(hasTlsClientName(blob, expected)).toBe(false);
    }
  });

  it('reads what others issue, and is not deceived by what OpenSSL would print', async () => {
    const hostile = 'evil.example, DNS:billing.example';
    const subject = [
      { name: 'countryName', value: 'DE' },
      { name: 'organizationName', value: 'Grabbit & Runn' },
      { name: 'commonName', value: 'billing' },
    ];
    const { cert } = await generate(subject, {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [
        {
          name: 'subjectAltName',
          altNames: [
            { type: 2, value: hostile },
            { type: 6, value: 'spiffe://shop.example/billing' },
            { type: 7, ip: '127.0.0.1' },
          ],
        },
      ],
    });
    const { raw, subjectAltName } = new X509Certificate(cert);
    expect(subjectAltName).toContain('DNS:billing.example');
    const verdicts = [
      { sanDns: 'billing.example' },
      { sanDns: hostile },
      { sanUri: 'spiffe://shop.example/billing' },
      { sanIp: '127.0.0.1' },
      { subjectDn: 'CN=billing,O=Grabbit & Runn,C=DE' },
    ].map((expected) => hasTlsClientName(raw, expected));
    expect(verdicts).toEqual([false, true, true, true, true]);
  });
});
