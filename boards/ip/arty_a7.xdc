# Arty A7: the oscillator and the button marked RESET, as Digilent's reference manual has them.
set_property -dict {PACKAGE_PIN E3 IOSTANDARD LVCMOS33} [get_ports sys_clock]
set_property -dict {PACKAGE_PIN C2 IOSTANDARD LVCMOS33} [get_ports reset_n]
set_false_path -from [get_ports reset_n]
