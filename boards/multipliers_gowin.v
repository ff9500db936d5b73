// What stands for them: multipliers that register their results themselves.

module gowin_product (input clk, input signed [7:0] a, b, output signed [15:0] y);
  wire [17:0] product;
  assign y = product[15:0];
  MULT9X9 #(.OUT_REG(1'b1)) multiplier (
    .CLK(clk), .CE(1'b1), .RESET(1'b0),
    .A({a[7], a}), .ASIGN(1'b1), .SIA(9'd0), .ASEL(1'b0),
    .B({b[7], b}), .BSIGN(1'b1), .SIB(9'd0), .BSEL(1'b0),
    .DOUT(product)
  );
endmodule

module gowin_product_twice (input clk, input signed [7:0] a, b, output signed [15:0] y);
  wire [17:0] product;
  assign y = product[15:0];
  MULT9X9 #(.PIPE_REG(1'b1), .OUT_REG(1'b1)) multiplier (
    .CLK(clk), .CE(1'b1), .RESET(1'b0),
    .A({a[7], a}), .ASIGN(1'b1), .SIA(9'd0), .ASEL(1'b0),
    .B({b[7], b}), .BSIGN(1'b1), .SIB(9'd0), .BSEL(1'b0),
    .DOUT(product)
  );
endmodule

module gowin_tap (input clk, en, input signed [8:0] a, b, output signed [17:0] y);
  MULT9X9 #(.OUT_REG(1'b1)) multiplier (
    .CLK(clk), .CE(en), .RESET(1'b0),
    .A(a), .ASIGN(1'b1), .SIA(9'd0), .ASEL(1'b0),
    .B(b), .BSIGN(1'b1), .SIB(9'd0), .BSEL(1'b0),
    .DOUT(y)
  );
endmodule
