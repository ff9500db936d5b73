// What Yosys looks for in a design: products of two bytes that are registered at once, or twice.

module gowin_product (input clk, input signed [7:0] a, b, output reg signed [15:0] y);
  always @(posedge clk) y <= a * b;
endmodule

module gowin_product_twice (input clk, input signed [7:0] a, b, output reg signed [15:0] y);
  reg signed [15:0] product;
  always @(posedge clk) begin
    product <= a * b;
    y <= product;
  end
endmodule

// A product of a code and a tap, which rests with its pipeline.
module gowin_tap (
  input clk, en, input signed [8:0] a, b, output reg signed [17:0] y
);
  always @(posedge clk) if (en) y <= a * b;
endmodule
