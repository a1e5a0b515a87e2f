"""What docs/meters.md says before the first meter."""

from __future__ import annotations

from typing import Final

INTRO: Final = """\
# Meters
Written by `make meters` from the files in `firmware_configs/meters`; a test fails when it is not what they say.

## Which file is mine?
1. Read the model on the meter's own label and look for it in the table under *for*. A letter more or less in the model can
   be another register map; if yours is not there, see *My meter is not in the list*.
2. On a wire with meters on it, `plumbline edge scan --device /dev/ttyUSB0` finds who answers, at which speed, and which file
   fits, and prints the block for the site file. Name the port: where you do not, it takes the only one there is, and a board's
   built-in one leads nowhere and takes five minutes to say so (Ctrl-C shows what was found so far). By hand: give the
   meter a block with that file's name as `profile`, and the unit number (also called address or slave id) that its display shows:

   ```toml
   [[meters]]
   name = "crane"
   profile = "eastron_sdm630"
   host = "192.168.1.50"   # the meter, or the Modbus TCP gateway in front of it
   unit = 3
   ```

   Several meters on one wire name it instead of a host:

   ```toml
   [[buses]]
   name = "riser"
   kind = "rtu"            # a serial port here; rtu_over_tcp: a plain converter, tcp: a Modbus gateway
   device = "/dev/ttyUSB0"
   baud = 9600
   parity = "N"

   [[meters]]
   name = "crane"
   profile = "dlt645_2007"
   bus = "riser"
   address = "000012345678" # twelve digits, on a DL/T 645 meter's label; Modbus meters have a unit
   ```
3. On RS-485 every meter on the line needs the same speed and parity and a unit number of its own. What each is delivered with
   and what it can be set to stands below, with an example after this list. Two wires, A to A and B to B, in one line from meter
   to meter, 120 ohm at both ends.
4. `plumbline edge check site.toml` says what is wrong with the file, all at once; `plumbline edge read site.toml` shows what
   the meter answers now, and `plumbline edge doctor site.toml --report handover.html` looks at everything else too. Compare
   voltage, power and the energy counter with the meter's display. Power is plus when energy comes from the grid: switch on a
   heater, it must rise.

*Commissioning check* is what `read` and `doctor` say under the values: what is likely wrong with wiring, ratio, word order,
address or unit. It judges the values against each other, so let a load run; energy against power it can judge once the counter
has moved: `plumbline edge read site.toml --watch 5`. The notes further down refer to it.

What you may meet: all voltages plausible and one power negative means that a current transformer sits the wrong way round; a
power that is five or forty times too small, that the transformer ratio is not set in the meter; voltages like 0.0 or
10<sup>30</sup>, that it is the wrong file. No answer at all: A and B swapped, another speed or parity, another unit number.

## Two kinds of meter on one line
An Eastron SDM630 is delivered with 9600 baud, 8N1, a DL/T 645 meter with 2400 baud, 8E1. Look at *Can be set to*: the DL/T 645
meter's parity is always even, and its speed is changed with its maker's tool only. So the SDM630 gives way: in its set-up
menu, 2400 baud, even parity, 1 stop bit, and an address that no other Modbus meter on the line has, here 3. Nothing is changed
on the DL/T 645 meter; its number is on its label.

```toml
[[buses]]
name = "riser"
kind = "rtu"
device = "/dev/ttyUSB0"
baud = 2400
parity = "E"

[[meters]]
name = "grid"
profile = "dlt645_2007"
bus = "riser"
address = "000012345678"

[[meters]]
name = "crane"
profile = "eastron_sdm630"
bus = "riser"
unit = 3
```

A poll of either takes about two seconds at 2400 baud, so five such meters fill the ten seconds between polls: with more of them,
`every_s = 30` at each. Meters that are all delivered with 8E1 (Inepro PRO380, Schneider iEM3155, DL/T 645) still need one speed that
is in each one's list: 9600 baud for the first two, and for all three only once the DL/T 645 meter was raised to it.

## What `read` says of a value
| quality | reason | what it means | what to do |
|---|---|---|---|
| good | | an answer, and nothing speaks against it | compare it with the display once |
| uncertain | out of range | a value, but an unlikely one: 10,000 V, 80 Hz | look for a wrong `scale`, `type` or address |
| uncertain | inconsistent, stuck, went back, rollover | it does not fit the others, has not moved for long, or a counter jumped | see the commissioning check; a counter jumps once where the meter was replaced |
| bad | exception | the meter refused these registers: it does not have them, or `address`, `function` or `max_gap` is wrong | nothing where the model lacks the value; else compare with the maker's table: does it count from 1? |
| bad | overflow | a number that no such value can have, as with the words the wrong way round | `words`, `type` |
| bad | sentinel, not a number | the meter says "no value", as for a phase that is not wired | nothing where it is so |
| bad | timeout | no answer in time to this question, though to others | the line: length, 120 ohm, a second master |
| bad | garbage | an answer with a wrong check sum or length | the line, or two meters with one number |

A value that is bad is not stored as 0 but as missing, with its reason.

## My meter is not in the list: ten minutes
You need the maker's table of Modbus registers (search the web for the model and "Modbus register").

1. Copy the file of the meter that looks most like yours from `firmware_configs/meters` to `mine.toml`, next to your site file.
2. Change the numbers. For each value: `address`, `type` (the table says float, or whole numbers of 16, 32 or 64 bits, with
   or without a sign) and `scale` (0.1 where it says "unit 0.1 V", 1000 where it says kW and the line wants W). Delete the
   lines that your meter does not have. Addresses count from 0: where the table's first register is 1, 30001 or 40001,
   subtract that. Where the table is hexadecimal, write `0x0100`: TOML knows it. `function` is 3 for holding registers
   (4xxxx), 4 for input registers (3xxxx).
3. Set `max_registers` to what the table allows in one request; where it says nothing, take 16. Set `max_gap = 0`: no
   read then touches a register that your file does not name.
4. Put one line `source = "..."` near the top in place of `[sources]`, `from` and every line's own `from`: where the numbers
   come from. The next one will ask. Delete `[serial]`, `[[identify]]`, `[serial_number]` and `[absent]` unless you know them.
5. `profile = "mine.toml"` in the site file, then `plumbline edge check site.toml`: each mistake is named with its key, what
   was found and what was expected.
6. `plumbline edge read site.toml`, and compare with the meter's display, value by value. Under load it names what is likely
   wrong: word order, an address off by one, kW taken for W. `words = "lsw"` turns the word order.
7. Send us the file: with a second source, or your comparison, it goes into the list.

## What the columns mean
*Values*: how many the meter gives. *Sure*: for how many of them two sources that are independent of each other agree; the
others rest on one, and deserve a look at the display. *Reads*: requests that one poll needs on a serial line and over TCP;
the number after them is what one request per value would need. `read` may show more: the first poll, and
one a day, asks for the serial number too, and on a slow line reads are split, since there another request is quicker than
reading the unused registers between.

"""
