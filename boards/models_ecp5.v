// Models of ECP5 cells that Yosys uses but has no simulation models of, as far as it uses them.
//
// Behaviour from how Yosys' techmaps use their ports; not checked against a vendor's models. What is
// not modelled does not elaborate.

// Block memory of 16 kbit. A word of 18 bits is two bytes of nine; narrow widths leave out the
// ninth bit, and 36 bits are written by port A and read by port B as two words.
module DP16KD(
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
  input DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
  output DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
  input DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
  output DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
  parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0;
  parameter [319:0] INITVAL_04 = 0, INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0;
  parameter [319:0] INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0;
  parameter [319:0] INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0;
  parameter [319:0] INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0;
  parameter [319:0] INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0;
  parameter [319:0] INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0;
  parameter [319:0] INITVAL_1C = 0, INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0;
  parameter [319:0] INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0;
  parameter [319:0] INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0;
  parameter [319:0] INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0;
  parameter [319:0] INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0;
  parameter [319:0] INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0;
  parameter [319:0] INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0;
  parameter [319:0] INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0;
  parameter [319:0] INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0;
  parameter DATA_WIDTH_A = 18;
  parameter DATA_WIDTH_B = 18;
  parameter REGMODE_A = "NOREG";
  parameter REGMODE_B = "NOREG";
  parameter RESETMODE = "SYNC";
  parameter ASYNC_RESET_RELEASE = "SYNC";
  parameter CSDECODE_A = "0b000";
  parameter CSDECODE_B = "0b000";
  parameter WRITEMODE_A = "NORMAL";
  parameter WRITEMODE_B = "NORMAL";
  parameter CLKAMUX = "CLKA";
  parameter CLKBMUX = "CLKB";
  parameter GSR = "ENABLED";
  parameter INIT_DATA = "STATIC";

  wire [17:0] dia = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
                     DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [17:0] dib = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
                     DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2,
                     ADA1, ADA0};
  wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2,
                     ADB1, ADB0};

  // Where a port's data lie among the 36 bits of two words, and which of these it writes.
  function [35:0] place(input integer width, input [13:0] addr, input [35:0] data);
    case (width)
      36: place = data;
      18: place = {2{data[17:0]}};
      9: place = {4{data[8:0]}};
      4: place = {4{1'b0, {2{data[3:0]}}}};
      2: place = {4{1'b0, {4{data[1:0]}}}};
      default: place = {4{1'b0, {8{data[0]}}}};
    endcase
  endfunction

  function [35:0] mask(input integer width, input [13:0] addr);
    reg [35:0] part;
    case (width)
      36: mask = {{9{addr[3]}}, {9{addr[2]}}, {9{addr[1]}}, {9{addr[0]}}};
      18: begin
        part = {18'b0, {9{addr[1]}}, {9{addr[0]}}};
        mask = addr[4] ? part << 18 : part;
      end
      9: mask = 36'h1FF << 9 * addr[4:3];
      4: mask = 36'hF << 9 * addr[4:3] + 4 * addr[2];
      2: mask = 36'h3 << 9 * addr[4:3] + 2 * addr[2:1];
      default: mask = 36'h1 << 9 * addr[4:3] + addr[2:0];
    endcase
  endfunction

  function [35:0] take(input integer width, input [13:0] addr, input [35:0] data);
    case (width)
      36: take = data;
      18: take = addr[4] ? data[35:18] : data[17:0];
      9: take = data >> 9 * addr[4:3] & 36'h1FF;
      4: take = data >> 9 * addr[4:3] + 4 * addr[2] & 36'hF;
      2: take = data >> 9 * addr[4:3] + 2 * addr[2:1] & 36'h3;
      default: take = data >> 9 * addr[4:3] + addr[2:0] & 36'h1;
    endcase
  endfunction

  reg [35:0] words [0:511];
  reg [35:0] qa = 0, qb = 0;
  wire [35:0] old_a = words[ada[13:5]], old_b = words[adb[13:5]];
  wire [35:0] mask_a = WEA ? mask(DATA_WIDTH_A, ada) : 36'b0;
  wire [35:0] mask_b = WEB ? mask(DATA_WIDTH_B, adb) : 36'b0;
  wire [35:0] new_a = old_a & ~mask_a | place(DATA_WIDTH_A, ada, {dib, dia}) & mask_a;
  wire [35:0] new_b = old_b & ~mask_b | place(DATA_WIDTH_B, adb, {18'b0, dib}) & mask_b;

  // Both ports run on one clock here, and write different words.
  always @(posedge CLKA) begin
    if (CEA && WEA) words[ada[13:5]] <= new_a;
    if (CEB && WEB) words[adb[13:5]] <= new_b;
    if (RSTA) qa <= 0;
    else if (CEA && (!WEA || WRITEMODE_A == "READBEFOREWRITE"))
      qa <= take(DATA_WIDTH_A, ada, old_a);
    else if (CEA && WRITEMODE_A == "WRITETHROUGH") qa <= take(DATA_WIDTH_A, ada, new_a);
    if (RSTB) qb <= 0;
    else if (CEB && (!WEB || WRITEMODE_B == "READBEFOREWRITE"))
      qb <= take(DATA_WIDTH_B, adb, old_b);
    else if (CEB && WRITEMODE_B == "WRITETHROUGH") qb <= take(DATA_WIDTH_B, adb, new_b);
  end

  // An output register takes what was read a cycle later, and is reset like what was read.
  reg [35:0] held_a = 0, held_b = 0;
  always @(posedge CLKA) begin
    if (RSTA) held_a <= 0;
    else if (OCEA) held_a <= qa;
    if (RSTB) held_b <= 0;
    else if (OCEB) held_b <= qb;
  end
  wire [35:0] last_a = REGMODE_A == "OUTREG" ? held_a : qa;
  wire [35:0] last_b = REGMODE_B == "OUTREG" ? held_b : qb;

  // An asynchronous reset shows at once, and stays until the next read.
  wire [35:0] shown_a = RESETMODE == "ASYNC" && RSTA ? 36'b0 : last_a;
  wire [35:0] shown_b = RESETMODE == "ASYNC" && RSTB ? 36'b0 : last_b;
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
          DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} =
      DATA_WIDTH_B == 36 ? shown_b[17:0] : shown_a[17:0];
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
          DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} =
      DATA_WIDTH_B == 36 ? shown_b[35:18] : shown_b[17:0];

  generate
    if (DATA_WIDTH_B == 36 && REGMODE_A != REGMODE_B ||
        CLKAMUX != "CLKA" || CLKBMUX != "CLKB" || (
          INITVAL_00 | INITVAL_01 | INITVAL_02 | INITVAL_03 |
          INITVAL_04 | INITVAL_05 | INITVAL_06 | INITVAL_07 |
          INITVAL_08 | INITVAL_09 | INITVAL_0A | INITVAL_0B |
          INITVAL_0C | INITVAL_0D | INITVAL_0E | INITVAL_0F |
          INITVAL_10 | INITVAL_11 | INITVAL_12 | INITVAL_13 |
          INITVAL_14 | INITVAL_15 | INITVAL_16 | INITVAL_17 |
          INITVAL_18 | INITVAL_19 | INITVAL_1A | INITVAL_1B |
          INITVAL_1C | INITVAL_1D | INITVAL_1E | INITVAL_1F |
          INITVAL_20 | INITVAL_21 | INITVAL_22 | INITVAL_23 |
          INITVAL_24 | INITVAL_25 | INITVAL_26 | INITVAL_27 |
          INITVAL_28 | INITVAL_29 | INITVAL_2A | INITVAL_2B |
          INITVAL_2C | INITVAL_2D | INITVAL_2E | INITVAL_2F |
          INITVAL_30 | INITVAL_31 | INITVAL_32 | INITVAL_33 |
          INITVAL_34 | INITVAL_35 | INITVAL_36 | INITVAL_37 |
          INITVAL_38 | INITVAL_39 | INITVAL_3A | INITVAL_3B |
          INITVAL_3C | INITVAL_3D | INITVAL_3E | INITVAL_3F
        ) != 0)
      this_use_of_DP16KD_is_not_modelled unknown();
  endgenerate
endmodule

// Multiplier: 18 by 18 bits, each signed or not; without registers, or with those of both factors and
// of the product, on the first clock, enable and reset.
module MULT18X18D(
  input A17, A16, A15, A14, A13, A12, A11, A10, A9,
  input A8, A7, A6, A5, A4, A3, A2, A1, A0,
  input B17, B16, B15, B14, B13, B12, B11, B10, B9,
  input B8, B7, B6, B5, B4, B3, B2, B1, B0,
  input C17, C16, C15, C14, C13, C12, C11, C10, C9,
  input C8, C7, C6, C5, C4, C3, C2, C1, C0,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0,
  output P35, P34, P33, P32, P31, P30, P29, P28, P27,
  output P26, P25, P24, P23, P22, P21, P20, P19, P18,
  output P17, P16, P15, P14, P13, P12, P11, P10, P9,
  output P8, P7, P6, P5, P4, P3, P2, P1, P0
);
  parameter REG_INPUTA_CLK = "NONE";
  parameter REG_INPUTA_CE = "CE0";
  parameter REG_INPUTA_RST = "RST0";
  parameter REG_INPUTB_CLK = "NONE";
  parameter REG_INPUTB_CE = "CE0";
  parameter REG_INPUTB_RST = "RST0";
  parameter REG_INPUTC_CLK = "NONE";
  parameter REG_PIPELINE_CLK = "NONE";
  parameter REG_OUTPUT_CLK = "NONE";
  parameter REG_OUTPUT_CE = "CE0";
  parameter REG_OUTPUT_RST = "RST0";
  parameter GSR = "ENABLED";
  parameter SOURCEB_MODE = "B_SHIFT";

  localparam REGISTERED = REG_INPUTA_CLK == "CLK0";

  wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6,
                  A5, A4, A3, A2, A1, A0};
  wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6,
                  B5, B4, B3, B2, B1, B0};
  reg [17:0] held_a = 0, held_b = 0;
  reg [35:0] held_product = 0;
  wire [17:0] used_a = REGISTERED ? held_a : a, used_b = REGISTERED ? held_b : b;
  wire signed [35:0] wide_a = {{18{SIGNEDA & used_a[17]}}, used_a};
  wire signed [35:0] wide_b = {{18{SIGNEDB & used_b[17]}}, used_b};
  wire [35:0] product = wide_a * wide_b;
  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24,
          P23, P22, P21, P20, P19, P18, P17, P16, P15, P14, P13, P12,
          P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = REGISTERED ? held_product : product;

  generate
    if (REGISTERED) begin
      always @(posedge CLK0)
        if (RST0) {held_a, held_b, held_product} <= 0;
        else if (CE0) {held_a, held_b, held_product} <= {a, b, product};
    end
    if (REG_INPUTC_CLK != "NONE" || REG_PIPELINE_CLK != "NONE" ||
        REG_INPUTB_CLK != REG_INPUTA_CLK || REG_OUTPUT_CLK != REG_INPUTA_CLK ||
        REG_INPUTA_CLK != "NONE" && REG_INPUTA_CLK != "CLK0" ||
        REG_INPUTA_CE != "CE0" || REG_INPUTB_CE != "CE0" || REG_OUTPUT_CE != "CE0" ||
        REG_INPUTA_RST != "RST0" || REG_INPUTB_RST != "RST0" || REG_OUTPUT_RST != "RST0")
      this_use_of_MULT18X18D_is_not_modelled unknown();
  endgenerate
endmodule
