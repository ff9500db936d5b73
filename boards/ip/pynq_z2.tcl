# The block design of the PYNQ-Z2: registers behind M_AXI_GP0, memory through S_AXI_HP0.
# Expects clock_mhz, bus_bits, component, register_block, register_bytes.

proc build_design {preset} {
    global clock_mhz bus_bits component register_block register_bytes

    # Under PYNQ the processor is set up when the board starts, so that the preset matters only
    # for software that starts from this design.
    create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 ps
    apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config [list \
        make_external "FIXED_IO, DDR" apply_board_preset $preset \
        Master Disable Slave Disable] [get_bd_cells ps]
    set_property -dict [list \
        CONFIG.PCW_CRYSTAL_PERIPHERAL_FREQMHZ 50 \
        CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $clock_mhz \
        CONFIG.PCW_EN_CLK0_PORT 1 \
        CONFIG.PCW_EN_RST0_PORT 1 \
        CONFIG.PCW_USE_M_AXI_GP0 1 \
        CONFIG.PCW_USE_S_AXI_HP0 1 \
        CONFIG.PCW_S_AXI_HP0_DATA_WIDTH [expr {$bus_bits < 64 ? 32 : 64}] \
        CONFIG.PCW_USE_FABRIC_INTERRUPT 1 \
        CONFIG.PCW_IRQ_F2P_INTR 1] [get_bd_cells ps]

    create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 reset
    create_bd_cell -type ip -vlnv $component accelerator
    foreach bus {control memory} {
        create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 $bus
        set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 1 CONFIG.NUM_CLKS 1] \
            [get_bd_cells $bus]
    }

    foreach {from to} {
        ps/M_AXI_GP0 control/S00_AXI
        control/M00_AXI accelerator/s_axi
        accelerator/m_axi memory/S00_AXI
        memory/M00_AXI ps/S_AXI_HP0
    } {
        connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
    }
    foreach pin {
        ps/M_AXI_GP0_ACLK ps/S_AXI_HP0_ACLK reset/slowest_sync_clk
        control/aclk memory/aclk accelerator/aclk
    } {
        connect_bd_net [get_bd_pins ps/FCLK_CLK0] [get_bd_pins $pin]
    }
    foreach pin {control/aresetn memory/aresetn accelerator/aresetn} {
        connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins $pin]
    }
    connect_bd_net [get_bd_pins ps/FCLK_RESET0_N] [get_bd_pins reset/ext_reset_in]
    connect_bd_net [get_bd_pins accelerator/interrupt] [get_bd_pins ps/IRQ_F2P]

    assign_bd_address -offset 0x43C00000 -range $register_bytes \
        -target_address_space [get_bd_addr_spaces ps/Data] \
        [get_bd_addr_segs accelerator/s_axi/$register_block]
    assign_bd_address -offset 0x00000000 -range 512M \
        -target_address_space [get_bd_addr_spaces accelerator/m_axi] \
        [get_bd_addr_segs ps/S_AXI_HP0/HP0_DDR_LOWOCM]
}
