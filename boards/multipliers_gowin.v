// What stands for it: a multiplier that registers its result itself.

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
