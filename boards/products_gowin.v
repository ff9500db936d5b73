// What Yosys looks for in a design: a product of two bytes that is registered at once.

module gowin_product (input clk, input signed [7:0] a, b, output reg signed [15:0] y);
  always @(posedge clk) y <= a * b;
endmodule
