# The block design of the Arty A7: a host behind JTAG and the accelerator share the DDR3 memory.
# Expects clock_mhz, component, register_block, register_bytes.

proc build_design {preset} {
    global clock_mhz component register_block register_bytes
    if {!$preset} {
        error "pins of the memory come with the board's files: install those of Digilent"
    }

    create_bd_port -dir I -type clk -freq_hz 100000000 sys_clock
    create_bd_port -dir I -type rst reset_n
    set_property CONFIG.POLARITY ACTIVE_LOW [get_bd_ports reset_n]

    # The memory wants 166.667 and 200 MHz, the accelerator its own clock.
    create_bd_cell -type ip -vlnv xilinx.com:ip:clk_wiz:6.0 clocks
    set_property -dict [list \
        CONFIG.PRIM_IN_FREQ 100.000 \
        CONFIG.CLKOUT1_REQUESTED_OUT_FREQ $clock_mhz \
        CONFIG.CLKOUT2_USED true CONFIG.CLKOUT2_REQUESTED_OUT_FREQ 166.667 \
        CONFIG.CLKOUT3_USED true CONFIG.CLKOUT3_REQUESTED_OUT_FREQ 200.000 \
        CONFIG.RESET_TYPE ACTIVE_LOW CONFIG.RESET_PORT resetn] [get_bd_cells clocks]

    create_bd_cell -type ip -vlnv xilinx.com:ip:mig_7series:4.2 memory
    apply_bd_automation -rule xilinx.com:bd_rule:mig_7series \
        -config [list Board_Interface ddr3_sdram] [get_bd_cells memory]
    # The automation may lead the memory's clocks and reset out of the design.
    foreach pin {sys_clk_i clk_ref_i sys_rst} {
        set net [get_bd_nets -quiet -of_objects [get_bd_pins memory/$pin]]
        if {[llength $net]} {
            set ports [get_bd_ports -quiet -of_objects $net]
            delete_bd_objs $net
            if {[llength $ports]} {
                delete_bd_objs $ports
            }
        }
    }

    create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 reset
    create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 memory_reset
    create_bd_cell -type ip -vlnv xilinx.com:ip:jtag_axi:1.2 host
    create_bd_cell -type ip -vlnv $component accelerator
    create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 bus
    set_property -dict [list CONFIG.NUM_SI 2 CONFIG.NUM_MI 2 CONFIG.NUM_CLKS 2] [get_bd_cells bus]

    foreach {from to} {
        host/M_AXI bus/S00_AXI
        accelerator/m_axi bus/S01_AXI
        bus/M00_AXI accelerator/s_axi
        bus/M01_AXI memory/S_AXI
    } {
        connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
    }
    connect_bd_net [get_bd_ports sys_clock] [get_bd_pins clocks/clk_in1]
    foreach pin {clocks/resetn memory/sys_rst reset/ext_reset_in} {
        connect_bd_net [get_bd_ports reset_n] [get_bd_pins $pin]
    }
    foreach {from to} {
        clocks/clk_out2 memory/sys_clk_i
        clocks/clk_out3 memory/clk_ref_i
        clocks/clk_out1 bus/aclk
        clocks/clk_out1 host/aclk
        clocks/clk_out1 accelerator/aclk
        clocks/clk_out1 reset/slowest_sync_clk
        clocks/locked reset/dcm_locked
        memory/ui_clk bus/aclk1
        memory/ui_clk memory_reset/slowest_sync_clk
        memory/ui_clk_sync_rst memory_reset/ext_reset_in
        memory/mmcm_locked memory_reset/dcm_locked
        memory_reset/peripheral_aresetn memory/aresetn
        reset/peripheral_aresetn bus/aresetn
        reset/peripheral_aresetn host/aresetn
        reset/peripheral_aresetn accelerator/aresetn
    } {
        connect_bd_net [get_bd_pins $from] [get_bd_pins $to]
    }

    assign_bd_address -offset 0x44A00000 -range $register_bytes \
        -target_address_space [get_bd_addr_spaces host/Data] \
        [get_bd_addr_segs accelerator/s_axi/$register_block]
    foreach space {host/Data accelerator/m_axi} {
        assign_bd_address -offset 0x80000000 -range 256M \
            -target_address_space [get_bd_addr_spaces $space] \
            [get_bd_addr_segs memory/memmap/memaddr]
    }
    # The accelerator does not write its own registers.
    exclude_bd_addr_seg [get_bd_addr_segs accelerator/s_axi/$register_block] \
        -target_address_space [get_bd_addr_spaces accelerator/m_axi]
}
